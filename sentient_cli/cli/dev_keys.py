"""Single keys from a terminal, which is left as it was found, however that comes about."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Job", "keys_of", "reading_keys"]

_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|.)?", re.DOTALL)
_TYPED: Final = 4
"""More bytes at once than this were pasted, and mean no keys."""
_END_OF_INPUT: Final = 4
_FORM_FEED: Final = 12
_SHOWN: Final = range(0x21, 0x7F)
"""What ASCII can show, but for the space."""
_NAMES: Final = {_END_OF_INPUT: "q", _FORM_FEED: "c", 10: "\n", 13: "\n"}


def keys_of(data: bytes) -> list[str]:
    r"""The keys in what a terminal sent at once: neither those of escape sequences, such as arrows, nor of a paste.

    Args:
        data: The bytes.

    Example:
        >>> keys_of(b"r"), keys_of(b"R\r"), keys_of(b"\x1b[A"), keys_of(b"\x1bOd"), keys_of(b"quit all of it")
        (['r'], ['r', '\n'], [], [], [])
    """
    typed = _SEQUENCE.sub(b"", data)
    if len(typed) > _TYPED:
        return []
    return [_NAMES.get(code) or chr(code).lower() for code in typed if code in _NAMES or code in _SHOWN]


class Job(Protocol):
    """Is told when the shell takes the terminal away, and when it gives it back."""

    def leave(self) -> None:
        """This process is about to be stopped."""

    def resume(self) -> None:
        """It goes on."""


if sys.platform == "win32":
    import msvcrt

    _EVERY: Final = 0.05

    @contextlib.contextmanager
    def reading_keys(descriptor: int, press: Callable[[str], None], job: Job) -> Generator[None]:
        """Call ``press`` with each key. A console of Windows has no way to wait for one, so it is asked."""
        del descriptor, job
        loop = asyncio.get_running_loop()
        handle: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal handle
            while msvcrt.kbhit():
                key = msvcrt.getwch()
                if key in {"\x00", "\xe0"}:
                    msvcrt.getwch()
                    continue
                for name in keys_of(key.encode("ascii", "ignore")):
                    press(name)
            handle = loop.call_later(_EVERY, look)

        look()
        try:
            yield
        finally:
            if handle is not None:
                handle.cancel()

else:
    import termios

    @contextlib.contextmanager
    def reading_keys(descriptor: int, press: Callable[[str], None], job: Job) -> Generator[None]:
        """Call ``press`` with each key that is typed, without its being shown.

        Ctrl-C and Ctrl-Z stay what they are. In the background nothing is read and nothing changed. At the end, before
        a stop, and when the interpreter exits, the terminal is as it was.

        Args:
            descriptor: The terminal.
            press: Called in the running loop.
            job: Told of a stop.
        """
        terminal = _Terminal(descriptor, press)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            job.leave()
            terminal.release()
            # The default is to stop. The process does it to itself, and goes on from here.
            loop.remove_signal_handler(signal.SIGTSTP)
            os.kill(os.getpid(), signal.SIGTSTP)
            loop.add_signal_handler(signal.SIGTSTP, stop)
            terminal.take()
            job.resume()

        handled = _handles(loop, signal.SIGTSTP, stop) and _handles(loop, signal.SIGCONT, terminal.take)
        atexit.register(terminal.restore)
        terminal.take()
        try:
            yield
        finally:
            terminal.release()
            terminal.forget_input()
            atexit.unregister(terminal.restore)
            if handled:
                loop.remove_signal_handler(signal.SIGTSTP)
                loop.remove_signal_handler(signal.SIGCONT)

    def _handles(loop: asyncio.AbstractEventLoop, number: signal.Signals, act: Callable[[], None]) -> bool:
        try:
            loop.add_signal_handler(number, act)
        except (ValueError, RuntimeError):
            return False  # not the main thread: no signal arrives here
        return True

    class _Terminal:
        def __init__(self, descriptor: int, press: Callable[[str], None]) -> None:
            self._descriptor = descriptor
            self._press = press
            self._loop = asyncio.get_running_loop()
            self._process = os.getpid()
            self._before: list[int | list[bytes | int]] | None = None

        def take(self) -> None:
            """Read keys, if the terminal is ours now, and as it has to be for that: a shell may have set it anew."""
            if not self._is_ours():
                return
            with contextlib.suppress(termios.error):
                before = self._before or termios.tcgetattr(self._descriptor)
                silent = termios.tcgetattr(self._descriptor)
                silent[0] &= ~termios.IXON  # Ctrl-S would stop the output, which nobody means here
                silent[3] &= ~(termios.ICANON | termios.ECHO)
                silent[6][termios.VMIN], silent[6][termios.VTIME] = 1, 0
                self._before = before
                termios.tcsetattr(self._descriptor, termios.TCSANOW, silent)
                self._loop.add_reader(self._descriptor, self._read)

        def release(self) -> None:
            """Read no more, and leave the terminal as it was."""
            self._loop.remove_reader(self._descriptor)
            self.restore()

        def restore(self) -> None:
            """Leave the terminal as it was."""
            before, self._before = self._before, None
            if before is not None and os.getpid() == self._process and self._is_ours():
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, before)

        def forget_input(self) -> None:
            """What was typed here is not for the shell."""
            if self._is_ours():
                with contextlib.suppress(termios.error):
                    termios.tcflush(self._descriptor, termios.TCIFLUSH)

        def _is_ours(self) -> bool:
            # Whoever touches the terminal of its session from the background is stopped. Another terminal stops nobody.
            try:
                return os.tcgetpgrp(self._descriptor) == os.getpgrp()
            except OSError:
                return True

        def _read(self) -> None:
            if not self._is_ours():
                self._loop.remove_reader(self._descriptor)
                self._before = None
                return
            try:
                data = os.read(self._descriptor, 1024)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._loop.remove_reader(self._descriptor)
                return
            for key in keys_of(data):
                self._press(key)
