"""A view that knows how long the answer took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.chat.view import View
    from sentient_cli.errors import SentientError
    from sentient_cli.runtime.events import Event

__all__ = ["Timed"]


class Timed:
    """Shows an answer by another view, and counts.

    Args:
        view: Shows it.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._began = time.monotonic()
        self._first: float | None = None
        self._events = 0

    def waiting(self) -> None:
        """The question was sent."""
        self._began = time.monotonic()
        self._view.waiting()

    def show(self, event: Event, raw: str) -> None:
        """Show an event."""
        if self._first is None:
            self._first = self._since()
        self._events += 1
        self._view.show(event, raw)

    def notice(self, text: str) -> None:
        """Say something quiet that is not the agent's."""
        self._view.notice(text)

    def status(self, text: str) -> None:
        """Say what is going on now."""
        self._view.status(text)

    def fail(self, error: SentientError) -> None:
        """Say that the answer could not be had."""
        self._view.fail(error)

    def end(self) -> None:
        """The answer is over."""
        self._view.end()

    def told(self, url: str, run_id: str | None) -> str:
        """What was asked and what it took, in one line.

        Args:
            url: Where the agent is.
            run_id: What the server calls the run.
        """
        first = f", the first after {self._first:.3f} s" if self._first is not None else ""
        run = f"run {run_id}" if run_id else "a run without a name"
        return f"POST {url}/assist: {run}, {self._events} events in {self._since():.3f} s{first}"

    def _since(self) -> float:
        return time.monotonic() - self._began
