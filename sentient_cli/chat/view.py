"""What every way to show an answer can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sentient_cli.errors import SentientError
    from sentient_cli.runtime.events import Event

__all__ = ["View"]


class View(Protocol):
    """Shows one answer: on a terminal, as plain text, as JSON lines."""

    def waiting(self) -> None:
        """The question was sent."""
        ...

    def show(self, event: Event, raw: str) -> None:
        """Show an event.

        Args:
            event: What came.
            raw: Its JSON as it came.
        """
        ...

    def notice(self, text: str) -> None:
        """Say something quiet that is not the agent's."""
        ...

    def status(self, text: str) -> None:
        """Say what is going on now; it need not be kept."""
        ...

    def fail(self, error: SentientError) -> None:
        """Say that the answer could not be had."""
        ...

    def end(self) -> None:
        """The answer is over, however it ended: show what is still held back."""
        ...
