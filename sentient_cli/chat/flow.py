"""Words set into lines as they come, for a terminal whose lines cannot be written anew."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

__all__ = ["Flow", "broken"]

_PIECE = re.compile(r"\n|[^\S\n]+|\S+")


class Flow:
    r"""Breaks lines between words. The last word is held back until it is known to be whole.

    Args:
        width: In columns.

    Example:
        >>> flow = Flow(10)
        >>> flow.feed("one two thr"), flow.feed("ee four"), flow.flush()
        ('one two', '\nthree', ' four')
    """

    def __init__(self, width: int) -> None:
        self._width = max(width, 1)
        self._column = 0
        self._space = ""
        self._word = ""

    def feed(self, text: str) -> str:
        """What may be written now."""
        found: list[str] = []
        pieces: list[str] = _PIECE.findall(self._word + text)
        self._word = pieces.pop() if pieces and not pieces[-1].isspace() else ""
        for piece in pieces:
            self._set(piece, found)
        if cell_len(self._word) >= self._width:
            # Text without spaces streams too.
            self._set_word(self._word, found)
            self._word = ""
        return "".join(found)

    def flush(self) -> str:
        """What was held back; the text ends."""
        found: list[str] = []
        if self._word:
            self._set(self._word, found)
        self._word = self._space = ""
        self._column = 0
        return "".join(found)

    def _set(self, piece: str, found: list[str]) -> None:
        if piece == "\n":
            found.append(piece)
            self._column, self._space = 0, ""
        elif piece.isspace():
            self._space += piece.expandtabs(4)
        else:
            self._set_word(piece, found)

    def _set_word(self, word: str, found: list[str]) -> None:
        size = cell_len(word)
        if self._column and self._column + len(self._space) + size > self._width:
            found.append("\n")
            self._column, self._space = 0, ""
        found.append(self._space)
        self._column += len(self._space)
        self._space = ""
        while self._column + size > self._width:
            word, size = self._break(word, found)
        found.append(word)
        self._column += size

    def _break(self, word: str, found: list[str]) -> tuple[str, int]:
        """Write what of a long word fits on this line, and return the rest."""
        head = set_cell_size(word, max(self._width - self._column, 0)).rstrip(" ")
        if not head and not self._column:
            head = word[0]
        found.append(head + "\n")
        self._column = 0
        rest = word[len(head) :]
        return rest, cell_len(rest)


def broken(text: str, width: int) -> str:
    """A whole text in lines of a width in columns."""
    flow = Flow(width)
    return flow.feed(text) + flow.flush()
