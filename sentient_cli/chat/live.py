"""An answer on a terminal, drawn as it grows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from sentient_cli.chat.growing import GrowingMarkdown
from sentient_cli.chat.markdown import MarkdownPainter
from sentient_cli.chat.order import Block, Kind, Order
from sentient_cli.chat.wrapping import wrap
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from sentient_cli.chat.glyphs import Glyphs
    from sentient_cli.chat.screen import Screen
    from sentient_cli.errors import SentientError
    from sentient_cli.runtime.events import Event

__all__ = ["LiveView"]

INTERVAL = 1 / 20
"""Seconds between two drawings, at least."""
MAX_JSON_LINES = 200
MAX_TEXT_WIDTH = 100
"""Columns of running text, at most: longer lines are hard to read."""
_INDENT = 2
_DIM = Style(dim=True)
_RED = Style(color="red")


class LiveView:
    """Draws blocks one below the other; of the newest, the lines that may still change are live.

    Args:
        screen: Where to draw.
        glyphs: The signs to draw with.
    """

    def __init__(self, screen: Screen, glyphs: Glyphs) -> None:
        self._screen = screen
        self._glyphs = glyphs
        self._order = Order()
        self._drawings: dict[Block, _Drawing] = {}
        self._ready: list[Text] = []
        self._label = ""
        self._begun = False
        self._status = ""
        self._drawn_at = 0.0
        self._next: asyncio.TimerHandle | None = None

    def waiting(self) -> None:
        """The question was sent."""
        self.status(self._glyphs.more)

    def show(self, event: Event, raw: str) -> None:  # noqa: ARG002 - other views need it
        """Take in an event; it is drawn with what comes in the same twentieth of a second."""
        self._status = ""
        self._order.add(event)
        self._draw_soon()

    def notice(self, text: str) -> None:
        """Say something quiet that is not the agent's."""
        self._status = ""
        self._advance()
        self._ready.extend(self._apart(wrap(Text(sanitize_line(text), style=_DIM), self._width)))
        self._draw_soon()

    def status(self, text: str) -> None:
        """Say what is going on now; gone with the next event."""
        self._status = sanitize_line(text)
        self._draw_soon()

    def fail(self, error: SentientError) -> None:
        """Say that the answer could not be had."""
        self._status = ""
        self._order.close()
        self._advance()
        head = Text(f"{self._glyphs.failed} {sanitize_line(error.what)}", style=_RED)
        lines = wrap(head, self._width)
        for part in (error.why, error.fix):
            if part:
                lines.extend(wrap(Text(sanitize_line(part), style=_DIM), self._width))
        self._ready.extend(self._apart(lines))
        self._draw_soon()

    def end(self) -> None:
        """Draw everything that is still held back, and leave the cursor below it."""
        self._status = ""
        self._order.close()
        self._draw()

    @property
    def _width(self) -> int:
        return min(self._screen.size.columns - 1 - _INDENT, MAX_TEXT_WIDTH)

    def _draw_soon(self) -> None:
        if self._next is None:
            loop = asyncio.get_running_loop()
            wait = self._drawn_at + INTERVAL - loop.time()
            self._next = loop.call_later(max(wait, 0), self._draw)

    def _draw(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._drawn_at = asyncio.get_running_loop().time()
        self._advance()
        ready, self._ready = self._ready, []
        self._screen.draw(ready, self._live())

    def _advance(self) -> None:
        """Move what can no longer change to the lines that stay."""
        width = self._width
        while self._order.queue:
            block = self._order.queue[0]
            drawing = self._drawing(block)
            self._keep(block, drawing.finished(width))
            if self._order.finished() is None:
                return
            self._keep(block, drawing.rest(width))
            self._drawings.pop(block, None)

    def _keep(self, block: Block, lines: list[Text]) -> None:
        if lines:
            drawing = self._drawing(block)
            self._ready.extend(self._headed(block, lines, headed=drawing.headed))
            self._label = block.label
            self._begun = drawing.headed = True

    def _live(self) -> list[Text]:
        """The lines that may still change: of the first block, and of those that wait behind it."""
        width = self._width
        begun, label = self._begun, self._label
        found: list[Text] = []
        for block in self._order.queue:
            drawing = self._drawing(block)
            lines = drawing.tail(width)
            if lines:
                found.extend(self._headed(block, lines, headed=drawing.headed))
                self._begun, self._label = True, block.label
        self._begun, self._label = begun, label
        if self._status:
            found.extend(self._indented(wrap(Text(self._status, style=_DIM), width)))
        return found

    def _headed(self, block: Block, lines: list[Text], *, headed: bool) -> list[Text]:
        """The lines of a block, below its label where it has none yet and another block stood before it."""
        if headed:
            return self._indented(lines)
        head = [Text()] if self._begun else []
        if block.label != self._label and block.kind is not Kind.ERROR:
            head.extend(self._indented(wrap(Text(block.label, style=_DIM), self._width)))
        return head + self._indented(lines)

    def _drawing(self, block: Block) -> _Drawing:
        drawing = self._drawings.get(block)
        if drawing is None:
            drawing = self._drawings[block] = _Drawing(block, self._glyphs)
        return drawing

    def _apart(self, lines: list[Text]) -> list[Text]:
        """The lines of something that is not the agent's, set apart; below it the agent's label stands anew."""
        found = [Text(), *self._indented(lines)] if self._begun else self._indented(lines)
        self._begun = True
        self._label = ""
        return found

    def _indented(self, lines: list[Text]) -> list[Text]:
        return [Text(" " * _INDENT) + line for line in lines]


class _Drawing:
    """How far one block is drawn."""

    def __init__(self, block: Block, glyphs: Glyphs) -> None:
        self.headed = False
        self._block = block
        self._glyphs = glyphs
        self._markdown = GrowingMarkdown(MarkdownPainter(glyphs))
        self._fixed: str | None = None

    def finished(self, width: int) -> list[Text]:
        return self._grown().finished(width) if self._block.kind is Kind.TEXT else []

    def tail(self, width: int) -> list[Text]:
        return self._grown().tail(width) if self._block.kind is Kind.TEXT else self._whole(width)

    def rest(self, width: int) -> list[Text]:
        return self._grown().rest(width) if self._block.kind is Kind.TEXT else self._whole(width)

    def _grown(self) -> GrowingMarkdown:
        self._markdown.feed(self._block.take())
        return self._markdown

    def _whole(self, width: int) -> list[Text]:
        if self._fixed is None:
            self._fixed = self._block.take()
        lines = self._fixed.split("\n")
        shown = lines[:MAX_JSON_LINES]
        if self._block.kind is Kind.ERROR:
            found = wrap(Text(f"{self._glyphs.failed} {shown.pop(0)}", style=_RED), width)
        else:
            found = []
        for line in shown:
            found.extend(wrap(Text(line, style=_DIM if self._block.kind is Kind.ERROR else ""), width))
        if len(lines) > MAX_JSON_LINES:
            left = len(lines) - MAX_JSON_LINES
            found.append(Text(f"{self._glyphs.more} {left} more lines; /json shows everything", style=_DIM))
        return found
