"""A network that goes away, or says no, while the packages of a project are installed by the real pip and uv."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.processes import run_sentient
from tests.scaffold.create_kit import shot, template
from tests.scaffold.cut_index import Cut, cut_index

_UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
_LOST = "The network broke off while the project's packages were installed"
_FAILED = "The project's packages could not be installed"
_needs_uv = pytest.mark.skipif(_UV is None, reason="there is no uv")


def _path(tmp_path: Path, tool: str) -> str:
    """Programs of the system, and of the installers the one that is wanted."""
    tools = tmp_path / "tools"
    tools.mkdir()
    if tool == "uv":
        (tools / "uv").symlink_to(str(_UV))
    return f"{tools}{os.pathsep}{os.defpath}"


@pytest.mark.story("20.6")
@pytest.mark.parametrize(
    ("tool", "cut", "what"),
    [
        ("pip", "file", _LOST),
        pytest.param("pip", "page", _LOST, marks=pytest.mark.slow),
        pytest.param("uv", "page", _LOST, marks=_needs_uv),
        # Versions of uv differ: some take half a package for a broken one.
        pytest.param("uv", "file", f"{_LOST}|{_FAILED}", marks=[_needs_uv, pytest.mark.slow]),
    ],
)
def test_a_network_that_breaks_off(tmp_path: Path, tool: str, cut: Cut, what: str) -> None:
    with cut_index(cut) as settings:
        done = run_sentient("create", "deep/x", "--yes", "--json", env={**settings, "PATH": _path(tmp_path, tool)})
    assert done.returncode == 5, done.stdout + done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["code"] == "setup-failed"
    assert error["what"] in what.split("|")
    assert error["fix"].lower().endswith("try again, or leave this step out with `--no-install`")
    assert re.search("hatchling|build dependencies", error["detail"])
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "note": f"Taken back: {Path.cwd().resolve() / 'deep/x'} is gone"
    }
    assert shot(Path.cwd()) == {}


@pytest.mark.story("20.6")
@pytest.mark.parametrize("tool", [pytest.param("pip", marks=pytest.mark.slow), pytest.param("uv", marks=_needs_uv)])
def test_an_index_that_says_no_is_not_taken_for_no_network(tmp_path: Path, tool: str) -> None:
    with cut_index("refused") as settings:
        done = run_sentient("create", "x", "--yes", "--json", env={**settings, "PATH": _path(tmp_path, tool)})
    assert done.returncode == 5, done.stdout + done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["what"] == _FAILED
    assert shot(Path.cwd()) == {}


@pytest.mark.slow
@pytest.mark.story("20.6")
def test_a_python_that_is_too_old_is_said_before_anything_is_installed(tmp_path: Path) -> None:
    project = "[project]\nname = 'x'\nversion = '1'\nrequires-python = '>=3.99'\n"
    folder = template(tmp_path / "t", {"pyproject.toml": project})
    done = run_sentient("create", "x", "--yes", "--json", "--trust", "-t", str(folder), env={"PATH": os.defpath})
    assert done.returncode == 5, done.stdout + done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["what"] == "The project needs Python >=3.99"
    assert platform.python_version() in error["why"]
    assert "--no-install" in error["fix"]
    assert shot(Path.cwd()) == {}
