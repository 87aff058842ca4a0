"""A terminal that is only appended to, but for the last few lines, which may still change.

Lines that are committed scroll away as any output does and are never touched again. The live lines below them are
written over in place, and only from the first that differs: nothing is cleared before it is written, so nothing
flickers. All text passes the sanitiser here, last: whatever a renderer made of it, no control character of it reaches
the terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.color import ColorSystem
from rich.console import Console

from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from rich.text import Text

__all__ = ["Screen", "Size", "paint"]


class Size(NamedTuple):
    """Of a terminal, in characters."""

    columns: int
    rows: int


_PLAIN = Console(width=80, color_system=None, force_terminal=False, _environ={})


def paint(line: Text, *, color: bool) -> str:
    """A line with the escape sequences of its styles, and no others.

    Args:
        line: What to write.
        color: Whether colours may be used; without them there are still bold and dim.
    """
    found: list[str] = []
    for segment in line.render(_PLAIN, end=""):
        text = sanitize_line(segment.text)
        style = segment.style
        if style is None or not text:
            found.append(text)
        else:
            style = (style if color else style.without_color).update_link(None)
            found.append(style.render(text, color_system=ColorSystem.STANDARD))
    return "".join(found)


class Screen:
    """Writes lines to a terminal.

    Args:
        out: The terminal.
        size: Asked before each drawing, since a window may change.
        color: Whether colours may be used.
    """

    def __init__(self, out: TextIO, size: Callable[[], Size], *, color: bool) -> None:
        self._out = out
        self._size = size
        self._color = color
        self._live: list[str] = []
        self._cells: list[int] = []

    @property
    def size(self) -> Size:
        """The size of the terminal now."""
        return self._size()

    def draw(self, committed: Sequence[Text], live: Sequence[Text]) -> None:
        """Append lines for good, and show others below them until the next drawing.

        Args:
            committed: Lines that stay.
            live: Lines that replace the earlier live ones; only the last that fit are shown.
        """
        size = self._size()
        shown = list(live)[-max(size.rows - 1, 1) :]
        lines = [self._fit(line, size.columns) for line in committed]
        tail = [self._fit(line, size.columns) for line in shown]
        if not lines and tail == self._live:
            return
        kept = 0 if lines else min(_common(self._live, tail), max(len(tail) - 1, 0))
        self._out.write(self._back_to(kept, size.columns) + _body(lines, tail[kept:]))
        self._out.flush()
        self._live = tail
        self._cells = [line.cell_len for line in shown]

    def _fit(self, line: Text, columns: int) -> str:
        # The last column stays free: a full row leaves terminals in different states.
        if line.cell_len >= columns:
            line = line.copy()
            line.truncate(columns - 1, overflow="crop")
        return paint(line, color=self._color)

    def _back_to(self, kept: int, columns: int) -> str:
        """Move from the end of the live lines to the start of the first that is not kept."""
        if not self._live:
            return ""
        if kept == len(self._live):
            return "\n"
        # A window that became narrower has wrapped the lines that were too long for it.
        rows = sum(max(-(-cells // columns), 1) for cells in self._cells[kept:])
        return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    count = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        count += 1
    return count


def _body(lines: Sequence[str], tail: Sequence[str]) -> str:
    above = "".join(f"{line}\x1b[K\n" for line in lines)
    return above + "\x1b[K\n".join(tail) + "\x1b[J"
