"""A real terminal around `sentient dev` with the hub of `tests.cli.dev_day`: what it wrote, and what a reader sees."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import termios
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pyte

from sentient_cli.config.discovery import find
from tests.support import commands
from tests.support.commands import Forked

__all__ = ["DAY", "DevTerminal", "developing"]

DAY = "from tests.cli.dev_day import install; install()\n"
"""Python that lets ``sentient dev`` run a hub that serves nothing."""
_OWN_TERMINAL = """
import fcntl, os, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""
_UNDER_A_SHELL = """
import fcntl, os, termios, time
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
job = os.fork()
if job:
    os.setpgid(job, job)
    os.tcsetpgrp(0, job)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]))
while os.tcgetpgrp(0) != os.getpid():
    time.sleep(0.001)
"""
_PATIENCE = 120.0
# What the screen may send: colours, the moves of the live lines, and the clearing of the screen.
OWN_SEQUENCES = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[[0-9]*A|\x1b\[K|\x1b\[J|\x1b\[H\x1b\[2J")


class DevTerminal:
    """One running ``sentient dev``."""

    def __init__(self, process: Forked, descriptor: int, slave: int, size: tuple[int, int]) -> None:
        self.process = process
        self.before: list[object] = termios.tcgetattr(slave)
        self._descriptor = descriptor
        self._slave = slave
        self._rows, self._columns = size
        self.raw = b""

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def modes(self) -> list[object]:
        """How the terminal is set."""
        return termios.tcgetattr(self._slave)

    def set_as_shells_do(self) -> None:
        """Have the terminal echo and wait for whole lines, as a shell does when its job has stopped."""
        modes = termios.tcgetattr(self._slave)
        modes[3] |= termios.ECHO | termios.ICANON
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def lines(self) -> list[str]:
        """The scrollback and the screen, as an emulator of the terminal shows them."""
        screen = pyte.HistoryScreen(self._columns, self._rows, history=10_000, ratio=0.5)
        pyte.ByteStream(screen).feed(self.raw)
        above = ["".join(row[column].data for column in range(self._columns)) for row in screen.history.top]
        return [line.rstrip() for line in [*above, *screen.display]]

    def text(self) -> str:
        return "\n".join(self.lines())

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Read what it writes until something is so."""
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.text()
            self._read(0.05)

    def wait_for(self, text: str) -> None:
        self.wait_until(lambda: text in self.text())

    def hang_up(self) -> None:
        """Take the terminal away, as closing its window does."""
        os.close(self._descriptor)
        self._descriptor = os.open(os.devnull, os.O_RDWR)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        self.wait_until(lambda: self.process.poll() is not None)
        while self._read(0):
            pass
        return self.process.wait()

    @property
    def job(self) -> int:
        """The process of the command; it is not the one that was started where a shell is between them."""
        return find()[0].pid

    def is_stopped(self) -> bool:
        """Whether it is stopped by a signal."""
        return Path(f"/proc/{self.job}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def close(self) -> None:
        os.close(self._descriptor)

    def _read(self, patience: float) -> bool:
        if not select.select([self._descriptor], [], [], patience)[0]:
            return False
        piece = os.read(self._descriptor, 65536)
        self.raw += piece
        return bool(piece)


@contextlib.contextmanager
def developing(
    *arguments: str,
    columns: int = 80,
    rows: int = 30,
    environment: Mapping[str, str] | None = None,
    under_shell: bool = False,
) -> Generator[DevTerminal]:
    """Start ``sentient dev`` in a terminal of its own, as the leader of its session, or as a job of such a one."""
    prelude = _UNDER_A_SHELL if under_shell else _OWN_TERMINAL
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (rows, columns))
    order = commands._order(
        ["dev", "--port", "0", *arguments], Path.cwd(), {**os.environ, **(environment or {})}, prelude + DAY
    )
    terminal = DevTerminal(Forked(order, [slave, slave, slave]), master, slave, (rows, columns))
    try:
        yield terminal
    finally:
        terminal.process.leave()
        terminal.close()
        os.close(slave)
