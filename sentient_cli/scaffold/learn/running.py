"""What a learner types is run: in front, in the terminal, or behind, while they go on."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator
from typing import IO

from sentient_cli.errors import UsageError, UserInterruptError
from sentient_cli.scaffold.learn.workspace import Workspace
from sentient_cli.scaffold.tools import end_group

__all__ = ["COMMANDS", "Shell"]

COMMANDS = ("sentient", "pytest", "python")
_STARTED = re.compile(r"Serving [^\"]* on [^\"\s]+")  # as text, or within a line of JSON
_SECONDS = 60.0
_KEPT = 30


class Shell:
    """Runs command lines of `COMMANDS`, one of them behind.

    Args:
        workspace: Where they run: in the project once it is there.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._behind: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def open(self) -> Generator[Shell]:
        """End what runs behind when the block ends, also when a signal ends it.

        Raises:
            UserInterruptError: SIGTERM or SIGHUP came.
        """
        numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = [(number, signal.signal(number, _leave)) for number in numbers]
        try:
            yield self
        finally:
            self._end()
            for number, handler in before:
                signal.signal(number, handler)

    def run(self, line: str) -> str:
        """Run a line; one that ends in ``&`` runs behind, and takes the place of the one before.

        Returns:
            What is to be told of it; empty for what ran in the terminal.

        Raises:
            UsageError: the line is none that can be run.
        """
        behind = line.endswith("&")
        command = self._command(line.removesuffix("&"))
        if behind:
            return self._start(command)
        environment = dict(self._workspace.environment)
        with subprocess.Popen(command, cwd=self._where(), env=environment) as process:  # noqa: S603 - typed for this
            while process.poll() is None:
                with contextlib.suppress(KeyboardInterrupt):  # it is for the command, which got it too
                    process.wait()
        return f"It ended with exit code {process.returncode}." if process.returncode else ""

    def _command(self, line: str) -> list[str]:
        try:
            name, *arguments = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"{line.strip()!r} is no command line", why=str(error)) from error
        programs = {
            "sentient": [sys.executable, "-m", "sentient_cli"],
            "pytest": [self._workspace.python, "-m", "pytest"],
            "python": [self._workspace.python],
        }
        return [*programs[name], *arguments]

    def _where(self) -> str:
        project = self._workspace.project
        return str(project if project.is_dir() else self._workspace.base)

    def _start(self, command: list[str]) -> str:
        self._end()
        quick = {"SENTIENT_SERVER_DRAIN_DELAY": "0"}  # nobody else calls it
        process = subprocess.Popen(  # noqa: S603 - typed for this
            command,
            cwd=self._where(),
            env={**quick, **self._workspace.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._behind = process
        said: deque[str] = deque(maxlen=_KEPT)
        ready = threading.Event()
        if process.stdout is not None:
            threading.Thread(target=_listen, args=(process.stdout, said, ready), daemon=True).start()
        ready.wait(_SECONDS)
        started = next((match[0] for text in list(said) if (match := _STARTED.search(text))), "")
        return started or "\n".join([*said, "It did not start."])

    def _end(self) -> None:
        if self._behind is not None:
            end_group(self._behind)
            self._behind = None


def _leave(_number: int, _frame: object) -> None:
    raise UserInterruptError("Ended by a signal")


def _listen(stream: IO[bytes], said: deque[str], ready: threading.Event) -> None:
    """Keep the last of what a program says, until it says no more; it must never wait for a reader."""
    with stream:
        for line in stream:
            said.append(line.decode("utf-8", "replace").rstrip())
            if _STARTED.search(said[-1]):
                ready.set()
    ready.set()
