"""Signals that come before `sentient dev` serves: it ends quietly, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.isolation import REPOSITORY
from tests.support import commands

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WHERE = {
    "while settings are read": "from sentient_cli.cli import dev_start as place; name = '_load'",
    "while others are looked for": "from sentient_cli.config import discovery as place; name = 'find'",
    "while it makes its place": "from sentient_cli.config import discovery as place; name = '_write_atomically'",
    "before its loop turns": "from sentient_cli.cli import dev_session as place; name = 'Session'",
}
_PRELUDE = """
import os, signal
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
{where}
whole = getattr(place, name)

def interrupted(*given, **named):
    os.kill(os.getpid(), {number})
    os.kill(os.getpid(), {number})
    return whole(*given, **named)

setattr(place, name, interrupted)
"""


@pytest.mark.story("20.5")
@pytest.mark.parametrize("where", _WHERE.values(), ids=_WHERE.keys())
@pytest.mark.parametrize("number", _SIGNALS)
def test_a_signal_in_the_first_moments(where: str, number: signal.Signals, tmp_path: Path) -> None:
    places = {"TMPDIR": "tmp", "XDG_RUNTIME_DIR": "run"}
    for place in places.values():
        (tmp_path / place).mkdir(mode=0o700)
    environment = {**os.environ, **{name: str(tmp_path / place) for name, place in places.items()}}
    prelude = _PRELUDE.format(where=where, number=int(number))
    done = commands.run("dev", "--port", "0", environment=environment, prelude=prelude)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Traceback" not in done.stderr
    assert [path.name for place in places.values() for path in (tmp_path / place).rglob("*.json")] == []
    assert list((tmp_path / "tmp").glob("sentient-dev-*")) == []


def test_an_interrupt_while_the_command_line_is_imported() -> None:
    code = """
import sys

class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "sentient_cli.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from sentient_cli.__main__ import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
