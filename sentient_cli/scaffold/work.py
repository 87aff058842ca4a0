"""What the steps of making a project share: the place, the log, the way to run a program and to say something."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from sentient_cli.errors import SetupFailedError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize, sanitize_line
from sentient_cli.scaffold.tools import Ended, Interruption, run_tool

__all__ = ["Reporter", "Workshop"]

_COMMAND = "$ "
_FULL = ("no space left on device", "disk quota exceeded", "not enough space on the disk")
"""How programs say, on any system, that the disk is full."""
_TAIL = 25
_LOOKED_AT = 400


class Reporter(Protocol):
    """Is told how the making of a project goes on."""

    def step(self, name: str, title: str) -> None:
        """A step begins.

        Args:
            name: A stable word for programs.
            title: What is going on, for a reader.
        """
        ...

    def progress(self, text: str) -> None:
        """What the running step is at, in one line; comes often."""
        ...

    def done(self, title: str) -> None:
        """The step is done."""
        ...

    def note(self, text: str) -> None:
        """Something that the reader should know."""
        ...


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a project is made.

    Args:
        project: Its directory.
        log: Takes what the programs say.
        log_file: Where that is kept when something fails.
        report: Is told how it goes on.
        stop: Ends it early.
        environment: The environment of the process.
        seconds: How long one program may run.
    """

    project: Path
    log: IO[bytes]
    log_file: Path
    report: Reporter
    stop: Interruption
    environment: Mapping[str, str]
    seconds: float

    def run(self, *command: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> Ended:
        """Run a program in the project, and say what it is at.

        Raises:
            FileNotFoundError: there is no such program.
            KeyboardInterrupt: the user wants no more.
        """
        self.log.write(f"{_COMMAND}{' '.join(os.fspath(part) for part in command)}\n".encode())
        self.log.flush()
        return run_tool(
            command,
            cwd=self.project,
            log=self.log,
            environment=self.environment if environment is None else environment,
            seconds=self.seconds,
            interruption=self.stop,
            watch=self._look,
        )

    def failure(self, what: str, ended: Ended, *, fix: str) -> SetupFailedError:
        """The error for a program that failed, with the end of what it said."""
        said = redactor.redact(sanitize(ended.output)).strip()
        why = f"It took longer than {self.seconds:g} s" if ended.late else f"All that was said is in {self.log_file}"
        if any(sign in said.lower() for sign in _FULL):
            why, fix = "There is no space left", "Free some space and try again"
        return SetupFailedError(what, why=why, fix=fix, detail="\n".join(said.splitlines()[-_TAIL:]))

    def must(self, what: str, command: Sequence[str | os.PathLike[str]], *, fix: str) -> Ended:
        """Run a program that has to succeed.

        Raises:
            SetupFailedError: it does not.
        """
        ended = self.run(*command)
        if not ended.ok:
            raise self.failure(what, ended, fix=fix)
        return ended

    def _look(self) -> bool:
        size = os.fstat(self.log.fileno()).st_size
        tail = os.pread(self.log.fileno(), _LOOKED_AT, max(0, size - _LOOKED_AT)) if hasattr(os, "pread") else b""
        lines = tail.decode("utf-8", "replace").splitlines()
        if lines and not lines[-1].startswith(_COMMAND):  # a command line says less than the title of the step
            self.report.progress(sanitize_line(lines[-1]).strip())
        return False
