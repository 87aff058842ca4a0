"""What an agent cannot be loaded from is refused at once, with what it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import commands


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _nowhere(path: Path) -> None:
    path.symlink_to("nowhere.py")


@pytest.mark.parametrize(
    ("make", "why"), [(_pipe, "a pipe or a device"), (_nowhere, "leads nowhere"), (_loop, "leads nowhere")]
)
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    make(tmp_path / "odd.py")
    done = commands.run_text("serve", "odd.py", "--port", "0", directory=tmp_path)
    assert done.returncode == 5
    assert why in " ".join(done.stderr.split())
