"""What is said of the agent as a whole: once, however often it is loaded."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from sentient_cli.dev import report

if TYPE_CHECKING:
    from sentient_cli.dev.assignment import Assignment
    from sentient_cli.dev.messages import Loaded

__all__ = ["Announcing"]

_LONG: Final = (2, 10, 60)
"""Seconds of the first loading after which it is said that it goes on."""


class Announcing:
    """Says where the agent is, and what looks wrong in its settings.

    Args:
        assignment: Whose code.
        reporter: Is told.
    """

    def __init__(self, assignment: Assignment, reporter: report.Reporter) -> None:
        self.answered: bool = False
        """Whether it was said where the agent answers."""
        self.decided: asyncio.Event = asyncio.Event()
        """Set once the first code answers, or turns out to be broken."""
        self._assignment = assignment
        self._reporter = reporter
        self._listening = self._was_broken = False
        self._address = ""
        self._warned: dict[str, None] = {}

    def loaded(self, generation: int, facts: Loaded, seconds: float | None = None) -> None:
        """A generation answers.

        Args:
            generation: Its number.
            facts: What it says of itself.
            seconds: From the save that mended the code, where that was broken at first.
        """
        self.decided.set()
        if not self.answered:
            self.answered = True
            took = time.monotonic() - self._assignment.began
            self._reporter.report(
                report.Ready(
                    self._assignment.url,
                    self._assignment.inspect_url,
                    facts.agent,
                    generation,
                    took if seconds is None or not self._was_broken else seconds,
                    facts.profile,
                    facts.env_file,
                    self._assignment.debugger,
                )
            )
        moved = self._address not in {"", facts.address}
        self._address = self._address or facts.address
        warnings = (f"The server's address is {facts.address} now, once this is started again",) if moved else ()
        for warning in (*warnings, *facts.warnings):
            if warning not in self._warned:
                self._warned[warning] = None
                self._reporter.report(report.Notice(warning))

    def broken(self) -> None:
        """A generation cannot be loaded: the page answers, if nothing else does."""
        self._was_broken = True
        self.decided.set()
        self._listen()

    async def patiently(self) -> None:
        """Say that the first loading takes long, and that the page answers meanwhile."""
        began = time.monotonic()
        for seconds in _LONG:
            await asyncio.sleep(began + seconds - time.monotonic())
            if self.answered or self._was_broken:
                return
            text = f"The agent has been loading for {seconds} seconds, and still is"
            self._reporter.report(report.Notice(text, "Look at what its code does while it is imported"))
            self._listen()

    def _listen(self) -> None:
        if not self.answered and not self._listening:
            self._listening = True
            self._reporter.report(report.Listening(self._assignment.url, self._assignment.inspect_url))
