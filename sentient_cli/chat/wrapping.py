"""Text cut into lines of a width."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.text import Text

__all__ = ["wrap"]

NARROWEST = 6
_TAB = 4
# Rich measures through a console; this one never writes, and reads no environment.
_MEASURE = Console(file=StringIO(), width=80, color_system=None, force_terminal=False, _environ={})


def wrap(text: Text, width: int) -> list[Text]:
    """The lines of a text in a width of columns; a word that is longer is cut.

    Example:
        >>> [line.plain for line in wrap(Text("one two three"), 8)]
        ['one two', 'three']
    """
    text = text.copy()
    text.expand_tabs(_TAB)
    lines = list(text.wrap(_MEASURE, max(width, NARROWEST), overflow="fold")) or [Text()]
    for line in lines:
        line.rstrip()
    return lines
