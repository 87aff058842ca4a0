"""A project where its user may not write: said in a sentence, and nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.rights import AS_NOBODY, NOBODY

_is_root = hasattr(os, "geteuid") and os.geteuid() == 0
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="a directory there is not made read-only by a mode"),
    pytest.mark.skipif(_is_root and sys.platform != "linux", reason="how root becomes another is known for Linux"),
]


@pytest.fixture
def common() -> Generator[Path]:
    """A directory that everybody may look into, those of pytest are for one user, and nobody but root write to."""
    folder = Path(tempfile.mkdtemp(prefix="sentient-rights-"))
    folder.chmod(0o555)
    try:
        yield folder
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def _create(folder: Path, *arguments: str, home: Path) -> tuple[int, str, str]:
    """Make a project as a user without rights."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    prelude = AS_NOBODY
    done = commands.run(
        "create", *arguments, "--yes", "--json", directory=folder, environment=environment, prelude=prelude
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.slow
@pytest.mark.story("20.1")
@pytest.mark.usefixtures("unmeasured")  # whose data nobody else may write
@pytest.mark.parametrize("arguments", [["x"], ["deep/x"], [".", "--force"]])
def test_a_directory_that_is_read_only(common: Path, arguments: list[str]) -> None:
    code, out, err = _create(common, *arguments, "--no-install", home=common)
    assert code == 5, out + err
    error = json.loads(err.splitlines()[-1])["error"]
    assert error["code"] == "project"
    assert error["what"] == f"The project cannot be written to {(common / arguments[0]).resolve()}"
    assert error["why"] == "Permission denied"
    assert error["fix"] == "Choose a directory that you may write to"
    assert list(common.iterdir()) == []


@pytest.mark.slow
@pytest.mark.story("20.1")
@pytest.mark.usefixtures("unmeasured")
def test_a_home_that_is_read_only_is_no_hindrance(common: Path) -> None:
    common.chmod(0o755)
    place = common / "place"
    place.mkdir()
    common.chmod(0o555)
    if _is_root:
        os.chown(place, NOBODY, NOBODY)
    code, out, err = _create(place, "x", "--no-install", home=common)
    assert code == 0, out + err
    assert (place / "x/.sentient/pristine.zip").is_file()
    assert [path.name for path in common.iterdir()] == ["place"]
