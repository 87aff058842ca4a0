"""In which line and column of a TOML document a key and its value stand."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from sentient_cli.config.toml_scan import scan

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Mark", "mark_of", "marks"]


class Mark(NamedTuple):
    """A place in a text: where a key stands, and where its value.

    Args:
        line: From 1.
        column: That of the key, from 1, in characters.
        value: The column of the value; of a table with a header, that of its name.

    Example:
        >>> Mark(2, 1, 8)
        Mark(line=2, column=1, value=8)
    """

    line: int
    column: int
    value: int


def marks(source: str) -> Mapping[tuple[str, ...], Mark]:
    r"""The place of every table, key and element of an array of a document that the parser accepts.

    Example:
        >>> marks("[server]\nport = 1\n")["server", "port"]
        Mark(line=2, column=1, value=8)
    """
    breaks = [-1]
    while (found := source.find("\n", breaks[-1] + 1)) >= 0:
        breaks.append(found)
    places: dict[tuple[str, ...], Mark] = {}
    for spot in scan(source):
        known = len(spot.path) - len(spot.parts)
        for depth, offset in enumerate(spot.parts, 1):
            path = spot.path[: known + depth]
            if path in places:
                continue
            line = bisect_right(breaks, offset - 1)
            column = offset - breaks[line - 1]
            is_last = depth == len(spot.parts) and spot.kind != "header"
            places[path] = Mark(line, column, spot.value - breaks[line - 1] if is_last else column)
    return places


def mark_of(places: Mapping[tuple[str, ...], Mark], path: tuple[str, ...]) -> Mark:
    """The place of a key, or of the nearest table around it; the beginning when nothing is known."""
    while path:
        if path in places:
            return places[path]
        path = path[:-1]
    return Mark(1, 1, 1)
