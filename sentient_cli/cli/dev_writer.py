"""Writes from a thread of its own, so that a terminal that is stopped, or a pipe that nobody reads, holds nobody up."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Final, Self, TextIO

from sentient_cli.cli.dev_json import event_line
from sentient_cli.cli.dev_screen import Action, Item, Told
from sentient_cli.dev.report import Notice, Output, RunEnded, RunStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentient_cli.dev.report import DevEvent

__all__ = ["Writer", "json_painter", "local_time"]

_MOST: Final = 2000
"""How many items may wait. Beyond that runs and output are left out, and it is said how many; but a run that was told
to have begun is told to have ended too, or it would seem to go on for ever."""
_DROPPED: Final = (RunStarted, RunEnded, Output)
_POLL: Final = 0.1


def local_time() -> datetime:
    """Now, on the clock on the wall."""
    return datetime.now().astimezone()


def json_painter(item: Item, at: datetime) -> str:
    """What a program is told of an item: of events a line of JSON, and of all else nothing."""
    return "" if isinstance(item, str | Told) else event_line(item, at) + "\n"


class Writer:
    """Writes items to a stream, in order; a reporter of a hub, and a context manager.

    Args:
        stream: Where to; None: nowhere.
        painter: Makes text of an item. Called in the thread, for one item after the other.
        clock: Says when an item came.
        on_gone: Called in the thread when the other end of the stream has left.
    """

    def __init__(
        self,
        stream: TextIO | None,
        painter: Callable[[Item, datetime], str],
        *,
        clock: Callable[[], datetime] = local_time,
        on_gone: Callable[[], object] | None = None,
    ) -> None:
        self._stream = stream
        self._painter = painter
        self._clock = clock
        self._on_gone = on_gone
        self._items: deque[tuple[Item, datetime]] = deque()
        self._left_out = 0
        self._begun: set[str] = set()
        self._changed = threading.Condition()
        self._busy = False
        self._ending = False
        self._gone = stream is None
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="sentient-dev-screen", daemon=True)

    def __enter__(self) -> Self:
        if self._stream is not None:
            self._stream.flush()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.do("end")
        self.close()

    def report(self, event: DevEvent) -> None:
        """Take an event; returns at once."""
        self._put(event)

    def tell(self, text: str, fix: str = "", *, link: str = "", good: bool = True) -> None:
        """Say a sentence of the command's own."""
        self._put(Told(text, fix, link, good))

    def do(self, action: Action) -> None:
        """Do something with the screen."""
        self._put(action)

    def drain(self, patience: float = 0.3) -> bool:
        """Wait until everything is written; for at most so many seconds.

        Returns:
            Whether it is.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._gone or not (self._items or self._busy), patience)

    def close(self, patience: float = 0.3) -> None:
        """Write what waits, and end; what cannot be written in so many seconds never is.

        Raises:
            Exception: what the painter raised.
        """
        self.drain(patience)
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(patience)
        if self._fault is not None:
            raise self._fault

    def _put(self, item: Item) -> None:
        with self._changed:
            if self._gone or self._ending:
                return
            if len(self._items) >= _MOST and self._may_go(item):
                self._left_out += 1
                return
            if isinstance(item, RunStarted):
                self._begun.add(item.run)
            elif isinstance(item, RunEnded):
                self._begun.discard(item.run)
            self._items.append((item, self._clock()))
            self._changed.notify_all()

    def _may_go(self, item: Item) -> bool:
        return isinstance(item, _DROPPED) and not (isinstance(item, RunEnded) and item.run in self._begun)

    def _work(self) -> None:
        try:
            while (text := self._next()) is not None:
                if text and not self._write(text):
                    if self._on_gone is not None:
                        self._on_gone()
                    return
        except Exception as error:  # noqa: BLE001 - told where it can be: a thread has nobody above it
            self._fault = error
        finally:
            with self._changed:
                self._gone = True
                self._items.clear()
                self._changed.notify_all()

    def _next(self) -> str | None:
        """The text of all that waits; None at the end."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._items or self._ending)
            if self._ending:
                return None
            items, left_out = list(self._items), self._left_out
            self._items.clear()
            self._left_out = 0
            self._busy = True
        if left_out:
            what = f"{left_out} lines are left out here: nobody took them in time"
            items.append((Notice(what), self._clock()))
        return "".join(self._painter(item, at) for item, at in items)

    def _write(self, text: str) -> bool:
        stream = self._stream
        if stream is None:
            return False
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError):
            return _write_text(stream, text)
        encoding = stream.encoding or "utf-8"
        if sys.platform == "win32":
            return _write_text(stream, text)
        return self._write_bytes(descriptor, text.encode(encoding, "backslashreplace"))

    def _write_bytes(self, descriptor: int, data: bytes) -> bool:
        # Not through the stream: a thread that is stuck in it would hold its lock, which Python takes when it exits.
        left = memoryview(data)
        while left and not self._ending:
            try:
                if select.select([], [descriptor], [], _POLL)[1]:
                    left = left[os.write(descriptor, left[:4096]) :]
            except (BlockingIOError, InterruptedError):
                continue
            except (OSError, ValueError):
                return False
        return True


def _write_text(stream: TextIO, text: str) -> bool:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        return False
    return True
