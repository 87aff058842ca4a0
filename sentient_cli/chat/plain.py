"""An answer as plain text, for a pipe, a file, and terminals that cannot draw: its words as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.chat.flow import Flow, broken
from sentient_cli.chat.order import Block, Kind, Order
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from typing import TextIO

    from sentient_cli.errors import SentientError
    from sentient_cli.runtime.events import Event

__all__ = ["PlainView"]


class PlainView:
    """Writes the agent's words to one stream and everything else to another.

    The name of an event stands above it in brackets where it changes.

    Args:
        out: For text and JSON.
        talk: For labels, errors and notices.
        width: Columns of the terminal that both streams are; None for a pipe or a file, whose text is left as it is.
        quiet: Leave labels and notices out.
    """

    def __init__(self, out: TextIO, talk: TextIO, *, width: int | None = None, quiet: bool = False) -> None:
        self._out = out
        self._talk = talk
        self._width = width
        self._flow = Flow(width) if width else None
        self._quiet = quiet
        self._order = Order()
        self._label = ""
        self._current: Block | None = None
        self._at_line_start = True

    def waiting(self) -> None:
        """The question was sent."""

    def show(self, event: Event, raw: str) -> None:  # noqa: ARG002 - other views need it
        """Write what an event adds."""
        self._order.add(event)
        self._advance()

    def notice(self, text: str) -> None:
        """Say something quiet that is not the agent's."""
        if not self._quiet:
            self._say(sanitize_line(text))

    def status(self, text: str) -> None:
        """Say what is going on now."""
        self.notice(text)

    def fail(self, error: SentientError) -> None:
        """Say that the answer could not be had."""
        self._order.close()
        self._advance()
        self._say(f"Error: {sanitize_line(str(error))}")

    def end(self) -> None:
        """Write what is still held back, and end the line."""
        self._order.close()
        self._advance()
        self._end_line()
        self._out.flush()

    def _advance(self) -> None:
        while self._order.queue:
            block = self._order.queue[0]
            self._write(block)
            if self._order.finished() is None:
                break
            self._end_line()
        self._out.flush()

    def _write(self, block: Block) -> None:
        text = block.take()
        if not text:
            return
        if block.kind is Kind.ERROR:
            self._say(f"Error: {text}")
            return
        if block is not self._current:
            self._current = block
            self._head(block)
        self._put(self._flow.feed(text) if self._flow else text)

    def _put(self, text: str) -> None:
        if text:
            self._out.write(text)
            self._at_line_start = text.endswith("\n")

    def _head(self, block: Block) -> None:
        self._end_line()
        if block.label != self._label:
            self._label = block.label
            if not self._quiet:
                self._say(f"[{block.label}]")

    def _end_line(self) -> None:
        if self._flow:
            self._put(self._flow.flush())
        if not self._at_line_start:
            self._out.write("\n")
            self._at_line_start = True

    def _say(self, text: str) -> None:
        if self._width:
            # Both streams are one terminal. Elsewhere a line end would be added to the agent's words.
            self._end_line()
            text = broken(text, self._width)
        self._out.flush()
        self._talk.write(text + "\n")
        self._talk.flush()
