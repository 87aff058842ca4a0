"""A table in columns, wrapped to a width; under one another where it is too narrow for columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.style import Style
from rich.text import Text

from sentient_cli.chat.wrapping import NARROWEST, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cell", "table_lines"]

GAP = 2
_BOLD = Style(bold=True)
_DIM = Style(dim=True)


class Cell(NamedTuple):
    """One cell and how it is set: ``left``, ``center`` or ``right``."""

    text: Text
    alignment: str


def table_lines(rows: Sequence[Sequence[Cell]], width: int, rule: str) -> list[Text]:
    """The lines of a table whose first row is its head.

    Args:
        rows: The head and the rows, all of one length.
        width: The columns of the terminal that there are.
        rule: The sign of the line below the head.
    """
    count = len(rows[0])
    room = width - GAP * (count - 1)
    if room < NARROWEST * count:
        return _records(rows, width)
    widths = _fit([max(row[column].text.cell_len for row in rows) for column in range(count)], room)
    found: list[Text] = []
    for index, row in enumerate(rows):
        found.extend(_row(row, widths, head=index == 0))
        if index == 0:
            found.append(Text((" " * GAP).join(rule * size for size in widths), style=_DIM))
    return found


def _fit(natural: Sequence[int], room: int) -> list[int]:
    """Widths that fit: the narrow columns keep theirs, the wide ones share what is left."""
    widths = [max(size, 1) for size in natural]
    left, columns = room, len(widths)
    for column in sorted(range(len(widths)), key=lambda index: widths[index]):
        widths[column] = min(widths[column], left // columns)
        left -= widths[column]
        columns -= 1
    return widths


def _row(row: Sequence[Cell], widths: Sequence[int], *, head: bool) -> list[Text]:
    wrapped = [_cell_lines(cell, size, head=head) for cell, size in zip(row, widths, strict=True)]
    found: list[Text] = []
    for index in range(max(len(lines) for lines in wrapped)):
        line = Text()
        for column, (lines, size) in enumerate(zip(wrapped, widths, strict=True)):
            piece = lines[index] if index < len(lines) else Text()
            line.append_text(_aligned(piece, size, row[column].alignment))
            line.append(" " * GAP)
        line.rstrip()
        found.append(line)
    return found


def _cell_lines(cell: Cell, width: int, *, head: bool) -> list[Text]:
    text = cell.text.copy()
    if head:
        text.stylize(_BOLD)
    return wrap(text, width)


def _aligned(text: Text, width: int, alignment: str) -> Text:
    room = max(width - text.cell_len, 0)
    before = {"right": room, "center": room // 2}.get(alignment, 0)
    return Text(" " * before) + text + Text(" " * (room - before))


def _records(rows: Sequence[Sequence[Cell]], width: int) -> list[Text]:
    found: list[Text] = []
    for index, row in enumerate(rows[1:]):
        if index:
            found.append(Text())
        for name, cell in zip(rows[0], row, strict=True):
            head = name.text.copy()
            head.stylize(_BOLD)
            line = Text.assemble(head, ": ", cell.text)
            found.extend(wrap(line, width))
    return found
