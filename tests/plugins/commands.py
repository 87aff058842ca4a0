"""The command line, in a process where that is what is proven, and else in this one."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from sentient_cli.cli.main import main
from tests.cli.processes import Sentient, run_sentient


@pytest.fixture
def commandline(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Sentient:
    """A process of its own for a case that has a story mark; else this process, where starting one proves nothing more.

    For what ends before it changes this process: nothing is served, no agent is loaded, no logging is set up.
    """
    item: pytest.Item = request.node
    if item.get_closest_marker("story") is not None:
        return run_sentient

    def run(
        *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
    ) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode(encoding)), encoding))
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = main(arguments)
        written = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, written.out, written.err)

    return run
