"""The forms in which a known value travels, and how long ones are found."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LONG", "MAX_MATCH", "MAX_SECRET", "LongForms", "forms_of"]

MAX_MATCH: Final = 16_384
"""No form is longer; a longer value is known by its pieces."""
MAX_SECRET: Final = 131_072
"""Of a longer value only so many characters at its beginning are known: a variable of Linux has no more."""
LONG: Final = 256
"""Characters from which on a form is a long one, which no pattern has: that would take long to make."""
_WHOLE: Final = MAX_MATCH // 6  # the longest form of a value has six characters for one
_PIECE: Final = 768  # a multiple of three, so that in base64 too the pieces lie side by side
_STRIDE: Final = 64
_WINDOW: Final = 16


def forms_of(text: str) -> Iterator[str]:
    """The forms of a value, or those of its pieces.

    Args:
        text: The value; what is no UTF-8 in it as lone surrogates.
    """
    for piece in _pieces(text):
        yield from _forms(piece)


class LongForms:
    """Finds long forms at a price that does not grow with their number.

    Of a text one window in each stride is looked up. A form is longer than a stride and a window, so wherever it
    stands, one of the windows is of its beginning.

    Args:
        forms: Of at least `LONG` characters.
    """

    def __init__(self, forms: Iterable[str]) -> None:
        self._by_window: dict[str, list[str]] = {}
        for form in sorted(forms, key=len, reverse=True):
            for at in range(_STRIDE):
                self._by_window.setdefault(form[at : at + _WINDOW], []).append(form)

    def may_be_in(self, text: str) -> bool:
        """Whether one of them may be in a text; False is certain."""
        windows = self._by_window
        if not windows or len(text) < LONG:
            return False
        return any(text[at : at + _WINDOW] in windows for at in range(0, len(text), _STRIDE))

    def places(self, text: str, start: int = 0) -> list[tuple[int, int]]:
        """Where in a text they begin and end, in order, those before ``start`` left out."""
        if not self.may_be_in(text):
            return []
        windows = self._by_window
        seen = {text[at : at + _WINDOW] for at in range(0, len(text), _STRIDE)} & windows.keys()
        forms = {form for window in seen for form in windows[window]}
        return sorted((at, at + len(form)) for form in forms for at in _places(text, form, start))


def _places(text: str, form: str, start: int) -> Iterator[int]:
    at = text.find(form, start)
    while at >= 0:
        yield at
        at = text.find(form, at + len(form))


def _pieces(text: str) -> Iterator[str]:
    """What a value is known by: itself, or pieces of about the same length."""
    if len(text) <= _WHOLE:
        yield text
        return
    text = text[:MAX_SECRET]
    count = -(-len(text) // _PIECE)
    size = -(-len(text) // (3 * count)) * 3
    for at in range(0, len(text), size):
        piece = text[at : at + size]
        if not piece.isspace():
            yield piece


def _forms(text: str) -> Iterator[str]:
    data = text.encode(errors="surrogateescape")
    yield text
    yield text[::-1]
    yield data.hex()
    yield data.hex().upper()
    yield repr(text)[1:-1]
    for escaped in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        yield escaped[1:-1]
        yield escaped[1:-1].replace("/", "\\/")
    for url in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield url
        yield re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), url)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode()
        yield encode(data).decode().rstrip("=")
        # In longer text the value begins at one of three places of a base64 group; what its neighbours change is cut.
        for offset in (0, 1, 2):
            skipped = (0, 2, 3)[offset]
            body = encode(b"\0" * offset + data).decode().rstrip("=")
            yield body[skipped : len(body) - (1 if (offset + len(data)) % 3 else 0)]
