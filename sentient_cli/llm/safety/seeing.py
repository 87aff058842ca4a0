"""Texts as a reader sees them: without what is invisible, and out of the JSON that they are wrapped in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from sentient_cli.llm.types import JsonValue, ToolCall
from sentient_cli.llm.wire.halves import with_whole_characters
from sentient_cli.sanitize import INVISIBLE

__all__ = ["Seen", "seen", "texts_of", "words_of_calls"]

_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")


class Seen(NamedTuple):
    """A text without what is invisible.

    Args:
        text: What is seen of it.
        places: Where each of its characters stands in the whole text, and where that ends; None: it is the whole.
    """

    text: str
    places: list[int] | None = None

    def place(self, at: int) -> int:
        """Where in the whole text a place of the seen one is."""
        return at if self.places is None else self.places[at]


def seen(text: str) -> Seen:
    r"""What a reader sees of a text.

    Example:
        >>> seen("a\u200bb").text, seen("a\u200bb").place(1)
        ('ab', 2)
    """
    if text.isascii() and text.isprintable():
        return Seen(text)
    hidden = {match.start() for match in INVISIBLE.finditer(text)}
    if not hidden:
        return Seen(text)
    places = [place for place in range(len(text)) if place not in hidden]
    return Seen("".join(map(text.__getitem__, places)), [*places, len(text)])


def words_of_calls(calls: Iterable[ToolCall]) -> str:
    r"""All that calls of tools say, a line each: their names, and the texts in their arguments.

    Example:
        >>> words_of_calls([ToolCall("1", "say", r'{"what": "\u0061b"}')])
        'say\nwhat\nab'
    """
    return "\n".join(line for call in calls for line in (call.name, *_arguments(call.arguments)))


def _arguments(arguments: str) -> Iterable[str]:
    try:
        told: JsonValue = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # It is no JSON: as it stands there.
        return (with_whole_characters(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), arguments)),)
    return texts_of(told)


def texts_of(value: JsonValue) -> Iterator[str]:
    """Every text in a value, names included.

    Example:
        >>> list(texts_of({"a": ["b", 1, {"c": "d"}]}))
        ['a', 'b', '1', 'c', 'd']
    """
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
