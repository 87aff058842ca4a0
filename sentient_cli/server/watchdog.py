"""Says when code blocks the event loop, and where: one blocked run stalls every other."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Final

from sentient_cli.runtime.loading.frames import is_user_file
from sentient_cli.server import loop

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Watchdog"]

_MOST_FRAMES: Final = 12

_logger = logging.getLogger(__name__)


class Watchdog:
    """A thread that watches whether the loop still turns.

    Args:
        limit: Seconds that the loop may stand still before it is said.
        interval: Seconds between two looks.
    """

    def __init__(self, limit: float = 1.0, interval: float = 0.25) -> None:
        self._limit = limit
        self._interval = interval
        self._stopped = threading.Event()
        self._asked_at = 0.0
        self._answered = True
        self._reported = False
        self._end_at = math.inf
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0

    def start(self) -> None:
        """Watch the running loop of this thread."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="sentient-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more. May be called twice."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def end_within(self, seconds: float) -> None:
        """End the process when the loop still stands still by then: what is to stop it in good order cannot run.

        Args:
            seconds: From now on. The soonest of several calls holds.
        """
        self._end_at = min(self._end_at, time.monotonic() + seconds)

    def _turned(self) -> None:
        if self._reported:
            self._reported = False
            _logger.warning("The event loop turns again after %.1f s", time.monotonic() - self._asked_at)
        self._answered = True

    def _watch(self) -> None:
        looked_at = time.monotonic()
        while not self._stopped.wait(self._interval):
            now = time.monotonic()
            # When this thread itself did not run, the whole process was held: that says nothing about the loop.
            held = now - looked_at > self._limit
            looked_at = now
            if self._answered or held:
                self._ask(now)
            elif now - self._asked_at >= self._limit:
                if not self._reported:
                    self._reported = True
                    self._report(now - self._asked_at)
                if now >= self._end_at:
                    _logger.error(
                        "The event loop stands still and the server is to stop: all runs end with the process"
                    )
                    loop.end_process(1)

    def _ask(self, now: float) -> None:
        self._asked_at = now
        self._answered = False
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._turned)
        except RuntimeError:
            self._stopped.set()  # the loop is closed

    def _culprit(self) -> str:
        task = asyncio.current_task(self._loop) if self._loop is not None else None
        return f" by {task.get_name()}" if task is not None and task.get_name().startswith("run-") else ""

    def _report(self, stood: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the documented way to see another thread
        _logger.warning(
            "The event loop has been blocked for %.1f s%s: every run waits. Use `await asyncio.to_thread(...)` for "
            "work that blocks. It is here:\n%s",
            stood,
            self._culprit(),
            _stack(frame),
        )


def _stack(frame: FrameType | None) -> str:
    """Where a thread is: from the user's own code on that its event loop runs, if it runs any."""
    if frame is None:
        return "(unknown)"
    stack = traceback.extract_stack(frame)
    inside = max((place for place, found in enumerate(stack) if found.filename == loop.__file__), default=-1) + 1
    first = next((place for place in range(inside, len(stack)) if is_user_file(stack[place].filename)), 0)
    return "".join(traceback.format_list(stack[first:][-_MOST_FRAMES:])).rstrip()
