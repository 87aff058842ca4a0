"""`sentient config edit`, over the real command line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from sentient_cli import paths
from tests.cli.keys_kit import at_a_terminal
from tests.cli.processes import Sentient

_FILE = Path("sentient.toml")
_TEXT = """\
# What this project is
agent = 'main:agent'  # the one

[server]   # where
port = 8000
"""


def _error(done: subprocess.CompletedProcess[str], code: int = 3) -> str:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    error = json.loads(done.stderr)["error"]
    return f"{error['what']} {error.get('why', '')} {error['fix']}"


def _editor(script: str) -> dict[str, str]:
    Path("editor.sh").write_text(f"#!/bin/sh\n{script}\n")
    Path("editor.sh").chmod(0o755)
    return {"EDITOR": str(Path("editor.sh").absolute())}


def test_edit_takes_what_is_valid(sentient: Sentient) -> None:
    _FILE.write_text(_TEXT)
    done = sentient("config", "edit", env=_editor("sed -i s/8000/9000/ $1"))
    assert "sentient.toml is changed, version 2." in done.stderr
    assert _FILE.read_text() == _TEXT.replace("8000", "9000")
    assert "Nothing was changed" in sentient("config", "edit", env=_editor("true")).stderr
    assert list((paths.state_dir() / "edits").iterdir()) == []


def test_edit_refuses_with_the_place_and_loses_nothing(sentient: Sentient) -> None:
    _FILE.write_text(_TEXT)
    error = _error(sentient("config", "edit", "--json", env=_editor("sed -i s/8000/high/ $1")))
    assert "sentient.toml:5:8" in error
    assert _FILE.read_text() == _TEXT
    kept = next((paths.state_dir() / "edits").glob("*/sentient.toml"))
    assert f"{kept}:5:8" in error  # where the line is that is wrong, and not in a file that was never written
    assert str(_FILE.absolute()) not in error
    assert "port = high" in kept.read_text()
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_an_editor_that_removes_the_copy(sentient: Sentient) -> None:
    _FILE.write_text(_TEXT)
    error = _error(sentient("config", "edit", "--json", env=_editor("rm $1")))
    assert "cannot be read" in error
    assert "is kept in" not in error
    assert list((paths.state_dir() / "edits").iterdir()) == []


def test_copies_that_nobody_came_back_to_are_removed(sentient: Sentient) -> None:
    _FILE.write_text(_TEXT)
    folder, day = paths.state_dir() / "edits", 24 * 3600.0
    for number in range(30):
        copy = folder / f"tmp{number:02}" / "sentient.toml"
        copy.parent.mkdir(parents=True)
        copy.write_text("port = high\n")
        age = 31 * day if number < 3 else 2 * day if number < 20 else 0.5 * day
        at = time.time() - age - 30 + number
        for path in (copy, copy.parent):
            os.utime(path, (at, at))
    sentient("config", "edit", env=_editor("sed -i s/8000/high/ $1"))
    kept = sorted(path.name for path in folder.iterdir() if path.name < "tmp3" and path.name[3:].isdigit())
    assert kept == [f"tmp{number}" for number in range(11, 30)]  # with the new one twenty
    assert len(list(folder.iterdir())) == 20


def test_edit_without_an_editor_and_with_one_that_fails(sentient: Sentient) -> None:
    _FILE.write_text(_TEXT)
    assert "There is no editor" in _error(sentient("config", "edit", "--json"), 2)
    assert "cannot be started" in _error(sentient("config", "edit", "--json", env={"EDITOR": "/nowhere/ed"}))
    assert "ended with code 7" in _error(sentient("config", "edit", "--json", env=_editor("exit 7")))
    changed = _editor(f"echo '# x' >> {_FILE.absolute()}; sed -i s/8000/9000/ $1")
    assert "while you edited it" in _error(sentient("config", "edit", "--json", env=changed))


@pytest.mark.slow
def test_edit_opens_the_copy_again_at_a_terminal() -> None:
    _FILE.write_text("[server]\nport = 8000\n")
    script = 'if grep -q high "$1"; then sed -i s/high/9000/ "$1"; else sed -i s/8000/high/ "$1"; fi'
    editor = _editor(script)["EDITOR"]
    with at_a_terminal("config", "edit", EDITOR=editor) as (child, _):
        child.expect("Open it again")
        child.sendline("y")
        child.expect("is changed")
        child.wait()
    assert _FILE.read_text() == "[server]\nport = 9000\n"


@pytest.mark.slow
@pytest.mark.parametrize(("key", "code"), [("\x04", 3), ("\x03", 130)])
def test_who_ends_an_edit_is_told_where_the_copy_is(key: str, code: int) -> None:
    _FILE.write_text("[server]\nport = 8000\n")
    editor = _editor("sed -i s/8000/high/ $1")["EDITOR"]
    with at_a_terminal("config", "edit", EDITOR=editor) as (child, _):
        child.expect("Open it again")
        child.send(key)
        child.expect(r"is\s+kept")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == code
    assert list((paths.state_dir() / "edits").glob("*/sentient.toml"))
