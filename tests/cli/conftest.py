"""The command line, in a process of its own or in this one."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from collections.abc import Generator

import pytest

from sentient_cli.cli import app, commands
from sentient_cli.cli.commands import COMMANDS, CommandRow
from sentient_cli.cli.main import main
from tests.cli.processes import Sentient, run_probe, run_sentient, start_sentient


@pytest.fixture
def sentient() -> Sentient:
    """The command line as a process."""
    return run_sentient


@pytest.fixture
def sentient_started() -> Sentient:
    """The same started anew, for what an interpreter does when it starts."""
    return start_sentient


@pytest.fixture
def probe_process() -> Sentient:
    """The command line as a process, with a further command that is in ``probe.py`` of the directory."""
    return run_probe


@pytest.fixture
def probe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Generator[Sentient]:
    """The same within this process, where starting one would prove nothing more."""
    monkeypatch.setattr(commands, "COMMANDS", (*COMMANDS, CommandRow("probe", "probe", "A command of a test.")))
    monkeypatch.setattr(app, "COMMANDS", (*COMMANDS, CommandRow("probe", "probe", "A command of a test.")))
    monkeypatch.setattr(sys, "path", [".", *sys.path])

    def run(
        *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
    ) -> subprocess.CompletedProcess[str]:
        monkeypatch.delitem(sys.modules, "probe", raising=False)
        importlib.invalidate_caches()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "dont_write_bytecode", True)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = main(arguments)
        written = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, written.out, written.err)

    yield run
    sys.modules.pop("probe", None)
