"""A terminal that a program runs in: what stands on its screen, and when."""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyte

__all__ = ["COLUMNS", "Terminal", "fixed", "running"]

COLUMNS: Final = 108
_ROWS: Final = 200
_PATIENCE: Final = 90.0
_CHUNK: Final = 65536
_DIM: Final = 2


class _Screen(pyte.Screen):
    """Shows dim text as grey, where the emulator knows no dim text."""

    def select_graphic_rendition(self, *attrs: int) -> None:
        """Set how the text looks that follows."""
        grey = {38, 48}.isdisjoint(attrs)
        super().select_graphic_rendition(*(90 if grey and attr == _DIM else attr for attr in attrs))


class Terminal:
    """One program in a terminal of its own.

    Args:
        descriptor: The emulator's end of it.
        process: The program.
    """

    def __init__(self, descriptor: int, process: int) -> None:
        self.screen: pyte.Screen = _Screen(COLUMNS, _ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._descriptor = descriptor
        self._process = process

    def wait(self, words: str) -> None:
        """Read until something stands on the screen.

        Raises:
            RuntimeError: it does not.
        """
        until = time.monotonic() + _PATIENCE
        while words not in self._text():
            if time.monotonic() > until or not self._read(0.1):
                raise RuntimeError(f"There is no {words!r}:\n{self._text()}")

    def end(self) -> int:
        """Read to the end; the exit code of the program."""
        while self._read(_PATIENCE):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode())

    def _text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def _read(self, patience: float) -> bool:
        """Whether there may be more."""
        if not select.select([self._descriptor], [], [], patience)[0]:
            return patience < _PATIENCE
        try:
            piece = os.read(self._descriptor, _CHUNK)
        except OSError:  # so Linux reports that nobody holds the other end
            return False
        self._stream.feed(piece)
        return bool(piece)


@contextlib.contextmanager
def running(command: Sequence[str], where: Path, environment: Mapping[str, str]) -> Generator[Terminal]:
    """Run a program in a terminal, and end it with the block.

    Args:
        command: The program and its arguments.
        where: The directory that it runs in.
        environment: All of its variables, but for those of the terminal.
    """
    own = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    process, descriptor = pty.fork()
    if process == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, COLUMNS, 0, 0))
            os.chdir(where)
            os.execvpe(command[0], list(command), {**environment, **own})  # noqa: S606 - our own programs
        finally:
            os._exit(127)
    try:
        yield Terminal(descriptor, process)
    finally:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGTERM)
        os.close(descriptor)


def _run(match: re.Match[str]) -> str:
    return f"first{'4.3 ms':>{len(match[1])}}{'92 ms':>{len(match[2])}}"


def _reload(match: re.Match[str]) -> str:
    return f"{match[1] or ''}{'41 ms':>{len(match[2])}}"


_Mend = str | Callable[[re.Match[str]], str]
# What differs from run to run, and what stands for it: no picture has a secret, or changes when the product does not.
_FIXED: Final[tuple[tuple[str, _Mend], ...]] = (
    (r"#token=\S+", "#token=…"),
    (r"ready in [\d.]+ m?s", "ready in 310 ms"),
    (r"first( +[\d.]+ m?s)( +[\d.]+ m?s)$", _run),
    (r"(?<=reloaded)( .\d)?( +[\d.]+ m?s)$", _reload),
    (r"(?<=^  Python    )[\d.]+", "3.13.1"),
    (r"(?<=127\.0\.0\.1:)\d+|(?<=--port )\d+", "8000"),
)
_CLOCK: Final = re.compile(r"^\d\d:\d\d:\d\d\b")


def fixed(screen: pyte.Screen) -> pyte.Screen:
    """A copy of the screen, with all that differs from run to run the same."""
    screen = copy.deepcopy(screen)
    seconds = 2
    for row in range(screen.lines):
        if _CLOCK.match(_line(screen, row)):
            _replace(screen, row, 0, 8, f"10:14:{seconds:02}")
            seconds = min(seconds + 7, 59)
        for pattern, mend in _FIXED:
            match = re.search(pattern, _line(screen, row))
            if match is not None:
                _replace(screen, row, *match.span(), mend if isinstance(mend, str) else mend(match))
    return screen


def _line(screen: pyte.Screen, row: int) -> str:
    return "".join(screen.buffer[row][column].data for column in range(screen.columns)).rstrip()


def _replace(screen: pyte.Screen, row: int, start: int, end: int, text: str) -> None:
    """Put text in the place of some cells of a line, which looks as they did, or else as the first of them did."""
    cells = [screen.buffer[row][column] for column in range(screen.columns)]
    looks = cells[start:end] if len(text) == end - start else [cells[start]] * len(text)
    cells[start:end] = [cell._replace(data=character) for cell, character in zip(looks, text, strict=True)]
    cells += [screen.default_char] * screen.columns
    for column in range(screen.columns):
        screen.buffer[row][column] = cells[column]
