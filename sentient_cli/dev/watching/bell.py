"""A bell at the directories that watchfiles watches, so that nobody has to look whether it has heard something.

watchfiles looks each few milliseconds, for ever, at what its own thread has heard, and asks before each look whether it
is to stop. Whoever is asked may take their time: this answers when something has happened, as inotify(7) tells.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from sentient_cli.inotify import ANYTHING, listen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Bell"]

_ATTENTIVE: Final = 0.25
"""Seconds after something happened in which watchfiles looks as ever: what rings here it may hear a little later."""
_LONGEST: Final = 1000
"""Milliseconds between two looks although nothing rang."""
_MUCH: Final = 1 << 16
_PATIENCE: Final = 1.0


class Bell:
    """What watchfiles takes for the event that stops it; for the thread that it runs in, but for `set` and `mute`.

    Args:
        directories: Where to hang it; None: nowhere. Where the system refuses one of them, it is mute from the start.
    """

    def __init__(self, directories: Iterable[str] | None) -> None:
        self.stopped: bool = False
        """Whether `set` was called."""
        self._heard, self._asked = (-1, -1) if directories is None else _listen(directories)
        self._lock = threading.Lock()
        self._until = time.monotonic() + _ATTENTIVE
        self._muting = False
        self._mute = threading.Event()
        self._poll = select.poll()
        if self.rings:
            self._poll.register(self._heard, select.POLLIN)
            self._poll.register(self._asked, select.POLLIN)

    @property
    def rings(self) -> bool:
        """Whether it tells; if not, watchfiles looks at its own pace."""
        return self._heard >= 0

    def set(self) -> None:
        """Have watchfiles stop."""
        self.stopped = True
        self._wake()

    def mute(self) -> None:
        """Give its watches back, which others need more; returns once they are."""
        self._muting = True
        if self._wake():
            self._mute.wait(_PATIENCE)

    def is_set(self) -> bool:
        """Whether to stop: answered when something has happened, or a while later."""
        if self.rings:
            self._listen_for_it()
        return self.stopped

    def _listen_for_it(self) -> None:
        now = time.monotonic()
        ready = self._poll.poll(0 if now < self._until else _LONGEST)
        if self._muting:
            self.close()
        elif any(descriptor == self._heard for descriptor, _ in ready):
            with contextlib.suppress(BlockingIOError):
                os.read(self._heard, _MUCH)
            self._until = time.monotonic() + _ATTENTIVE

    def close(self) -> None:
        """Give everything back. May be called twice."""
        with self._lock:
            for descriptor in (self._heard, self._asked):
                if descriptor >= 0:
                    os.close(descriptor)
            self._heard = self._asked = -1
        self._mute.set()

    def _wake(self) -> bool:
        with self._lock:
            if self._asked >= 0:
                os.eventfd_write(self._asked, 1)
            return self._asked >= 0


def _listen(directories: Iterable[str]) -> tuple[int, int]:
    """A descriptor that can be read once something happens in one of these directories, and one that `set` writes to.

    Both are -1 where the system refuses.
    """
    if sys.platform != "linux":
        return -1, -1
    heard = listen(directories, ANYTHING)
    return (heard, os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)) if heard >= 0 else (-1, -1)
