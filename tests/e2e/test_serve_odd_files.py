"""What an agent cannot be loaded from is refused at once, with what it is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
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


@pytest.mark.parametrize("name", [".env", "sentient.toml"])
@pytest.mark.parametrize(("make", "why"), [(_pipe, "a pipe or a device"), (_nowhere, "leads nowhere")])
def test_settings_that_are_no_file_are_not_passed_over(
    tmp_path: Path, name: str, make: Callable[[Path], None], why: str
) -> None:
    make(tmp_path / name)
    done = commands.run_text("config", "show", "--json", directory=tmp_path)
    assert done.returncode == 3
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["what"].endswith(f"{name} is no file")
    assert why in error["why"]


def test_a_folder_may_be_called_like_a_file_of_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()  # as a virtual environment may be
    assert commands.run_text("config", "show", directory=tmp_path).returncode == 0


def test_a_recursion_without_end_is_told_in_few_lines(tmp_path: Path) -> None:
    lines = ["def there(n): return back(n)", "def back(n): return there(n + 1)", "there(1)"]
    (tmp_path / "odd.py").write_text("\n".join(lines))
    done = commands.run_text("serve", "odd.py", "--port", "0", directory=tmp_path)
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) < 20
    told = re.sub(r"[│\s]+", "", done.stderr)  # a long path is broken at the panel's edge
    assert "odd.py:3in<module>" in told
    assert re.search(r"odd\.py:1inthere,\d+times", told)


def test_a_crash_at_import_says_where(tmp_path: Path) -> None:
    """An extension module that crashes ends the process; not without a word."""
    (tmp_path / "odd.py").write_text("import ctypes\n\nctypes.string_at(0)\n")
    done = subprocess.run(
        [sys.executable, "-m", "sentient_cli", "serve", "odd.py", "--port", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr
    assert 'odd.py", line 3' in done.stderr
