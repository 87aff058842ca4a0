"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from tests.plugins.isolation import REPOSITORY
from tests.support import commands

_PREAMBLE = """
import sys
from sentient_cli.cli import commands
commands.COMMANDS += (commands.CommandRow("probe", "probe", "A command of a test."),)
from sentient_cli.cli.main import main
sys.exit(main())
"""


class Sentient(Protocol):
    """Runs the command line and returns how it ended."""

    def __call__(
        self, *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
    ) -> subprocess.CompletedProcess[str]: ...


def run_sentient(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """The command line, forked from a process that has imported it."""
    done = commands.run(*arguments, environment={**os.environ, **(env or {})}, stdin=stdin.encode(encoding))
    out, err = (text.decode(encoding) for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def start_sentient(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """The command line, started anew."""
    return _run(["-m", "sentient_cli", *arguments], env, stdin, encoding)


def run_probe(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """The command line with a further command, ``probe``, whose function is in ``probe.py`` of the directory."""
    Path("start.py").write_text(_PREAMBLE)
    return _run(["start.py", *arguments], env, stdin, encoding)


def _run(
    arguments: list[str], env: dict[str, str] | None, stdin: str, encoding: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        input=stdin,
        capture_output=True,
        encoding=encoding,
        timeout=50,
        check=False,
    )
