"""JSON text that shows what it holds: what no terminal should receive stands as an escape of JSON."""

from __future__ import annotations

import re

__all__ = ["escape_unprintable"]

_SUSPECT = re.compile(r"[^\n\x20-\x7e]")


def escape_unprintable(text: str, *, ascii_only: bool = False) -> str:
    r"""Replace control, format and separator characters in JSON text by ``\uXXXX``; line feeds stay.

    Outside of strings JSON has only ASCII, so a character that is replaced always stands in a string, where the escape
    means the same.

    Args:
        text: Valid JSON.
        ascii_only: Replace every character that is not ASCII.

    Example:
        >>> print(escape_unprintable('{"a": "é\u202eb"}'))
        {"a": "é\u202eb"}
    """
    if text.isascii() and text.isprintable():
        return text
    return _SUSPECT.sub(lambda match: _escape(match[0], ascii_only=ascii_only), text)


def _escape(char: str, *, ascii_only: bool) -> str:
    if char == "\t":
        return " "
    if char.isprintable() and not ascii_only:
        return char
    code = ord(char)
    if code <= 0xFFFF:  # noqa: PLR2004 - the basic plane
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
