"""Lines of text for a terminal: made safe, measured in its columns, cut and folded to fit.

Rich draws the rest of this package. What `dev` shows first should not wait for it to be imported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from sentient_cli.config.names import readable
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize, sanitize_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ASCII", "UNICODE", "Glyphs", "Line", "Pen", "Span", "fold", "paint", "plain", "shorten", "width_of"]

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_PLAIN_CODES: Final = {"bold": "1", "dim": "2"}
# Whether an emoji is one column wide or two depends on these and on the terminal; without them it is as measured.
_SELECTORS: Final = re.compile("[\ufe0e\ufe0f]")
_BREAK: Final = re.compile(r"(\s+)")


class Span(NamedTuple):
    """A piece of a line.

    Args:
        text: What is written; made by a `Pen`.
        style: Words such as ``bold red``; empty: as the terminal writes.
    """

    text: str
    style: str = ""


Line: TypeAlias = tuple[Span, ...]
"""What stands on one line."""


class Glyphs(NamedTuple):
    """The signs that are drawn with; each is one column wide, but for ``more``."""

    done: str
    failed: str
    stopped: str
    going: str
    reload: str
    notice: str
    bar: str
    point: str
    more: str
    dot: str
    times: str


UNICODE: Final = Glyphs("✓", "✗", "■", "●", "↻", "!", "│", "▸", "…", "·", "×")  # noqa: RUF001 - as drawn
ASCII: Final = Glyphs("+", "x", "-", "*", "~", "!", "|", ">", "...", "-", "x")


class Pen:
    """Makes text fit for a stream: safe for a terminal, without secrets, in characters that its encoding has.

    Args:
        encoding: Of the stream.

    Attributes:
        glyphs: The signs that it can carry.
    """

    def __init__(self, encoding: str | None) -> None:
        self._encoding = encoding or "ascii"
        try:
            "".join(UNICODE).encode(self._encoding)
        except (UnicodeEncodeError, LookupError):
            self.glyphs: Glyphs = ASCII
        else:
            self.glyphs = UNICODE

    def text(self, text: str, style: str = "", *, secret: bool = False) -> Span:
        """A piece of a line.

        Args:
            text: What to write, from anybody.
            style: How.
            secret: It is meant to be seen, whatever it holds.
        """
        meant = readable(text)
        return Span(self._written(sanitize_line(meant if secret else redactor.redact(meant))), style)

    def lines(self, text: str) -> list[str]:
        """The lines of a text of several; a tab leads to the next fourth column, as in code."""
        return [self._written(line.expandtabs(4)) for line in sanitize(redactor.redact(readable(text))).split("\n")]

    def _written(self, text: str) -> str:
        shown = _SELECTORS.sub("", text)
        if shown.isascii():
            return shown
        try:
            return shown.encode(self._encoding, "backslashreplace").decode(self._encoding)
        except LookupError:
            return shown.encode("ascii", "backslashreplace").decode("ascii")


def width_of(*texts: str) -> int:
    """The columns that texts take.

    Example:
        >>> width_of("ab", "漢")
        4
    """
    total = 0
    for text in texts:
        if text.isascii():
            total += len(text)
        else:
            from rich.cells import cell_len

            total += cell_len(text)
    return total


def shorten(text: str, width: int, more: str = "…") -> str:
    """The beginning of a text in so many columns, with a sign when there is more.

    Example:
        >>> shorten("a long question", 8), shorten("short", 8), shorten("漢字漢字", 4)
        ('a long…', 'short', '漢…')
    """
    if width_of(text) <= width:
        return text
    room = width - len(more)
    if room <= 0:
        return _head(text, max(width, 0))
    return _head(text, room).rstrip() + more


def _head(text: str, width: int) -> str:
    taken = 0
    for place, character in enumerate(text):
        taken += width_of(character)
        if taken > width:
            return text[:place]
    return text


def fold(text: str, width: int) -> list[str]:
    """A text in lines of at most so many columns, broken between words where there are any.

    Example:
        >>> fold("one two three", 8), fold("abcdefghij", 4), fold("", 4)
        (['one two', 'three'], ['abcd', 'efgh', 'ij'], [''])
    """
    width = max(width, 2)
    lines, line, used = list[str](), "", 0
    for piece in _BREAK.split(text):
        size = width_of(piece)
        if used + size <= width:
            line, used = line + piece, used + size
            continue
        if line.strip():
            lines.append(line.rstrip())
            line = ""
            if piece.isspace():
                used = 0
                continue
        *full, line = _chopped(line + piece, width)
        lines += [part for part in full if part.strip()]
        used = width_of(line)
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _chopped(text: str, width: int) -> list[str]:
    """A text that is not empty in pieces of so many columns, in time that grows as the text does."""
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)]
    parts, begun, taken = list[str](), 0, 0
    for place, character in enumerate(text):
        size = width_of(character)
        if taken + size > width:
            parts.append(text[begun:place])
            begun, taken = place, 0
        taken += size
    return [*parts, text[begun:]]


def plain(line: Iterable[Span]) -> str:
    """A line without its styles."""
    return "".join(span.text for span in line)


def paint(line: Sequence[Span], *, styled: bool, color: bool) -> str:
    r"""A line with the escape sequences of its styles, and no others.

    Args:
        line: What to write.
        styled: Whether there may be any.
        color: Whether there may be colours; without them there are still bold and dim.

    Example:
        >>> paint([Span("no", "bold red")], styled=True, color=True)
        '\x1b[1;31mno\x1b[0m'
    """
    if not styled:
        return plain(line).rstrip()
    known = _CODES if color else _PLAIN_CODES
    parts: list[str] = []
    for text, style in line:
        codes = ";".join(known[word] for word in style.split() if word in known)
        parts.append(f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text)
    return "".join(parts)
