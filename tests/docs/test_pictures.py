"""The pictures of the documentation show what is shown."""

from __future__ import annotations

import pyte
import pytest

from docs.tools import picture


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_no_picture_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert picture.main(["--check"]) == 0, capsys.readouterr().err


def test_a_picture_of_something_else_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    assert picture._compare("dev", pyte.Screen(20, 2)) == 1
    told = capsys.readouterr().err
    assert "-sentient dev" in told
    assert told.endswith("Draw it anew: make picture\n")
