"""Programs that are started: in a group of their own, with a deadline, output in a file, and gone when we leave."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Ended", "Interruption", "end_group", "run_tool"]

_POLL = 0.02
_GRACE = 3.0
"""Seconds that a program gets to leave before it is killed."""


class Interruption:
    """Ctrl-C, SIGTERM and SIGHUP, as one thing that is heeded at once or, while files are written, between two steps.

    Example:
        >>> with Interruption().listening() as stop, stop.deferred():
        ...     stop.check()
    """

    def __init__(self) -> None:
        self.asked: bool = False
        self._at_once = True
        self._heeded = True

    def check(self) -> None:
        """Go no further when it was asked for.

        Raises:
            KeyboardInterrupt: it was, and no `shielded` block is open.
        """
        if self.asked and self._heeded:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def deferred(self) -> Generator[None]:
        """Within it an interruption is noted, and heeded where `check` is called."""
        self._at_once = False
        try:
            yield
        finally:
            self._at_once = True

    @contextlib.contextmanager
    def shielded(self) -> Generator[None]:
        """Within it no interruption is heeded: what must run to its end."""
        before = self._heeded, self._at_once
        self._heeded = self._at_once = False
        try:
            yield
        finally:
            self._heeded, self._at_once = before

    @contextlib.contextmanager
    def listening(self) -> Generator[Interruption]:
        """Take the signals, in the main thread, and give them back in the end."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        before = {name: signal.signal(getattr(signal, name), self._take) for name in names}
        try:
            yield self
        finally:
            for name, handler in before.items():
                signal.signal(getattr(signal, name), handler)

    def _take(self, _number: int, _frame: object) -> None:
        self.asked = True
        if self._at_once:
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended.

    Args:
        code: Its exit code; negative when a signal ended it.
        output: The last of what it wrote, at most 64 KiB, both streams.
        late: Whether it was ended because its time was over, or because ``watch`` said so.
    """

    code: int
    output: str
    late: bool = False

    @property
    def ok(self) -> bool:
        """Whether it did what it was asked for."""
        return self.code == 0 and not self.late


def run_tool(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path,
    log: IO[bytes],
    environment: Mapping[str, str] | None = None,
    seconds: float,
    interruption: Interruption | None = None,
    watch: Callable[[], bool] | None = None,
) -> Ended:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        cwd: Where it runs.
        log: Takes its output, both streams; open for reading and writing.
        environment: All of its environment; ours unless given.
        seconds: How long it may take.
        interruption: Ends it early.
        watch: Called several times a second; when it says True the program is ended.

    Raises:
        FileNotFoundError: there is no such program.
        KeyboardInterrupt: the interruption was asked for; the program and all that it started are gone.
    """
    start = log.seek(0, os.SEEK_END)
    process = subprocess.Popen(  # noqa: S603 - our own command lines, and no shell
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        late = _wait(process, time.monotonic() + seconds, interruption, watch)
    finally:
        end_group(process)
    size = log.seek(0, os.SEEK_END)
    log.seek(max(start, size - 65536))
    return Ended(process.returncode, log.read().decode("utf-8", "replace"), late)


def _wait(
    process: subprocess.Popen[bytes],
    deadline: float,
    interruption: Interruption | None,
    watch: Callable[[], bool] | None,
) -> bool:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL)
            return False
        if interruption is not None:
            interruption.check()
        if time.monotonic() > deadline or (watch is not None and watch()):
            return True


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program that leads a group of its own, and all that it started."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
