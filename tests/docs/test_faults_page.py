"""What the documentation says comes of a fault is what comes of it."""

from __future__ import annotations

import pytest

from docs.tools import faults_page


@pytest.mark.slow
@pytest.mark.story("4.3")
def test_the_page_of_faults_is_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert faults_page.main(["--check"]) == 0, capsys.readouterr().err
