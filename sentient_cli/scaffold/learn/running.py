"""What a learner types is run: in front, in the terminal, or behind, while they go on."""

from __future__ import annotations

import contextlib
import os
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
_SERVING = re.compile(r"Serving [^\"]* on [^\"\s]+")  # as text, or within a line of JSON
_DEVELOPING = re.compile(r"  Python {2,}\S|\S+  \S Not loaded, ")  # the last line of what it says first, or the first
_SECONDS = 60.0
_KEPT = 60
_CHUNK = 65536


class Shell:
    """Runs command lines of `COMMANDS`, one of them behind.

    Args:
        workspace: Where they run: in the project once it is there.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._behind: subprocess.Popen[bytes] | None = None
        self._said: deque[str] = deque(maxlen=_KEPT)

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

    def news(self) -> list[str]:
        """What the program behind has said since this was asked last, its latest lines at least."""
        said: list[str] = []
        while self._said:
            said.append(self._said.popleft())
        text = "\n".join(said).strip("\n")
        return text.split("\n") if text else []

    def _start(self, command: list[str]) -> str:
        self._end()
        quick = {"SENTIENT_SERVER_DRAIN_DELAY": "0"}  # nobody else calls it
        process = subprocess.Popen(  # noqa: S603 - typed for this
            command,
            cwd=self._where(),
            env={**quick, **self._workspace.environment, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._behind = process
        self._said = deque(maxlen=_KEPT)
        ready = threading.Event()
        if process.stdout is not None:
            threading.Thread(target=_listen, args=(process.stdout, self._said, ready), daemon=True).start()
        ready.wait(_SECONDS)
        said = self.news()
        serving = next((match[0] for text in said if (match := _SERVING.search(text))), "")
        if serving:
            return serving
        started = any(_DEVELOPING.match(text) for text in said)
        return "\n".join(said if started else [*said, "It did not start."])

    def _end(self) -> None:
        if self._behind is not None:
            end_group(self._behind)
            self._behind = None


def _leave(_number: int, _frame: object) -> None:
    raise UserInterruptError("Ended by a signal")


def _listen(stream: IO[bytes], said: deque[str], ready: threading.Event) -> None:
    """Keep the last of what a program says, until it says no more; it must never wait for a reader."""
    rest = b""
    with stream:
        while piece := os.read(stream.fileno(), _CHUNK):
            *lines, rest = (rest + piece).split(b"\n")
            texts = [line.decode("utf-8", "replace").rstrip() for line in lines]
            said.extend(texts)  # all that came at once, before anybody is told
            rest = rest[-_CHUNK:]
            if any(_SERVING.search(text) or _DEVELOPING.match(text) for text in texts):
                ready.set()
    said.append(rest.decode("utf-8", "replace").rstrip())
    ready.set()
