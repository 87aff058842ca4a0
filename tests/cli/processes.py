"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Protocol

from tests.plugins.isolation import REPOSITORY
from tests.support import commands

PROBE = """
from sentient_cli.cli import app, commands
app.COMMANDS = commands.COMMANDS = (*commands.COMMANDS, commands.CommandRow("probe", "probe", "A command of a test."))
"""
"""Python that adds a command ``probe``, whose function is in ``probe.py``."""


class Sentient(Protocol):
    """Runs the command line and returns how it ended."""

    def __call__(
        self, *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
    ) -> subprocess.CompletedProcess[str]: ...


def run_sentient(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """The command line, forked from a process that has imported it."""
    return _run("", arguments, env, stdin, encoding)


def run_probe(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """The same with a further command, ``probe``, whose function is in ``probe.py`` of the directory."""
    return _run(PROBE, arguments, env, stdin, encoding)


def _run(
    prelude: str, arguments: tuple[str, ...], env: dict[str, str] | None, stdin: str, encoding: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(env or {})}
    done = commands.run(*arguments, environment=environment, stdin=stdin.encode(encoding), prelude=prelude)
    out, err = (text.decode(encoding) for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def start_sentient(
    *arguments: str, env: dict[str, str] | None = None, stdin: str = "", encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    """The command line, started anew."""
    return subprocess.run(
        [sys.executable, "-m", "sentient_cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(env or {})},
        input=stdin,
        capture_output=True,
        encoding=encoding,
        timeout=150,
        check=False,
    )
