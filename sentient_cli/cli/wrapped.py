"""Prose for a terminal of any width: lines end between words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.cli.streams import is_terminal
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console

__all__ = ["wrapped"]


def wrapped(console: Console, text: str, *, head: str = "", room: int = 0) -> str:
    """A text in lines that fit the terminal that is talked to; elsewhere one line, as a program wants it.

    Args:
        console: Where it will be said.
        text: One paragraph.
        head: What stands before it; further lines are indented as far.
        room: Columns that stay free at the end of a line, for an answer.
    """
    if not is_terminal(console.stderr):
        return head + sanitize_line(text)
    from rich.text import Text

    width = console.width(stderr=True) - len(head) - room
    lines = Text(sanitize_line(text)).wrap(console.rich(stderr=True), max(width, 1), overflow="fold")
    return "\n".join(
        (" " * len(head) if number else head) + line.plain.rstrip() for number, line in enumerate(lines)
    ).rstrip()
