"""What becomes of a run that no client reads any more. The log knows no disconnect: it is decided here."""

from __future__ import annotations

import asyncio
from typing import Final

from sentient_cli.runtime.run import Run

__all__ = ["Departures"]

_AHEAD: Final = 4 * 1024 * 1024
"""Bytes that an agent may write for a client that may come back."""


class Departures:
    """Gives clients that left a time to come back.

    Args:
        cancel: Whether a run ends when nobody comes back; else it goes on to its deadline.
        grace: Seconds to come back in.
    """

    def __init__(self, *, cancel: bool, grace: float) -> None:
        self._cancel = cancel
        self._grace = grace
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def came(self, run: Run) -> None:
        """A client reads the run."""
        timer = self._timers.pop(run.id, None)
        if timer is not None:
            timer.cancel()
            run.outlet.disown()

    def left(self, run: Run) -> None:
        """A client reads the run no more."""
        if not self._cancel or run.closed or run.log.readers:
            return
        self.came(run)
        run.outlet.hold(_AHEAD)
        self._timers[run.id] = asyncio.get_running_loop().call_later(self._grace, self._nobody_came, run)

    def _nobody_came(self, run: Run) -> None:
        self._timers.pop(run.id, None)
        run.outlet.disown()
        if not run.log.readers:
            run.cancel("The client went away")
