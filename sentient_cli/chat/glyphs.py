"""The few signs that the chat draws with, for terminals with and without Unicode."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ASCII", "UNICODE", "Glyphs", "glyphs_for"]


class Glyphs(NamedTuple):
    """One set of signs.

    Args:
        prompt: Before what the user types.
        bullet: Before an item of a list.
        rule: Repeated, a horizontal line.
        quote: Before a quoted line.
        failed: Before an error.
        more: Something was left out, or is awaited.
        dot: Between two parts of one line.
    """

    prompt: str
    bullet: str
    rule: str
    quote: str
    failed: str
    more: str
    dot: str


UNICODE = Glyphs(prompt="›", bullet="•", rule="─", quote="│", failed="✗", more="…", dot="·")  # noqa: RUF001 - as drawn
ASCII = Glyphs(prompt=">", bullet="-", rule="-", quote="|", failed="x", more="...", dot="-")


def glyphs_for(encoding: str | None) -> Glyphs:
    """The signs that a stream of this encoding can carry.

    Example:
        >>> glyphs_for("ascii").bullet
        '-'
    """
    try:
        "".join(UNICODE).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE
