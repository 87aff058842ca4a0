"""Where a key that a TOML document does not have yet belongs in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.config.toml_scan import Spot

__all__ = ["Where", "place_for"]

_REST_OF_LINE: Final = re.compile(r"[^\n]*\n?")


class Where(NamedTuple):
    """A place for a key.

    Args:
        at: The offset.
        table: What of the key is told by what is around.
        header: Whether a header for the table has to be written.
        inline: Whether it is within an inline table.
        lead: What comes before it: the indentation of its neighbours, or a comma.
        tail: What comes after it.
        gap: Whether an empty line comes after it.
    """

    at: int
    table: tuple[str, ...]
    header: bool = False
    inline: bool = False
    lead: str = ""
    tail: str = ""
    gap: bool = False


def place_for(text: str, spots: Sequence[Spot], names: tuple[str, ...]) -> Where:
    """The best place for a key that is not there.

    Beside those of its table, however that is written; else in a new table beside its next of kin, or at the end.

    Args:
        text: The document.
        spots: All its places.
        names: The key from the top of the document.
    """
    parent = names[:-1]
    inline = [spot for spot in spots if _is_inline_table(text, spot) and parent[: len(spot.path)] == spot.path]
    if inline:
        return _in_inline_table(text, spots, max(inline, key=lambda spot: len(spot.path)))
    if any(spot.kind == "header" and spot.path == parent for spot in spots):
        return _in_section(text, spots, parent)
    dotted = [spot for spot in spots if spot.kind == "key" and _shares_dotted(spot, parent)]
    if dotted:
        nearest = max(dotted, key=lambda spot: (_common(spot.path[:-1], parent), spot.start))
        return Where(_line_end(text, nearest.end), nearest.table, lead=_indent(text, nearest.start))
    return _new_section(text, spots, parent) if parent else _at_the_top(text, spots)


def _is_inline_table(text: str, spot: Spot) -> bool:
    return spot.kind in {"key", "inline"} and text.startswith("{", spot.value)


def _in_inline_table(text: str, spots: Sequence[Spot], table: Spot) -> Where:
    inner = [spot for spot in spots if table.value < spot.start and spot.end < table.end]
    if not inner:
        between = text[table.value + 1 : table.end - 1]
        return Where(table.value + 1, table.path, inline=True, lead=" ", tail="" if between else " ")
    return Where(max(spot.end for spot in inner), table.path, inline=True, lead=", ")


def _in_section(text: str, spots: Sequence[Spot], parent: tuple[str, ...]) -> Where:
    number = next(at for at, spot in enumerate(spots) if spot.kind == "header" and spot.path == parent)
    last = spots[number]
    for spot in spots[number + 1 :]:
        if spot.kind == "header":
            break
        if spot.kind == "key":
            last = spot
    return Where(_line_end(text, last.end), parent, lead=_indent(text, last.start))


def _shares_dotted(spot: Spot, parent: tuple[str, ...]) -> bool:
    """Whether it is written with dots in a way that makes a table which the parent is in or is."""
    return parent[: len(spot.table)] == spot.table and _common(spot.path[:-1], parent) > len(spot.table)


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _new_section(text: str, spots: Sequence[Spot], parent: tuple[str, ...]) -> Where:
    headers = [spot for spot in spots if spot.kind == "header"]
    below = [spot for spot in headers if spot.path[: len(parent)] == parent]
    if below:  # a table goes before those that are in it
        return Where(_with_comments(text, below[0].start), parent, header=True)
    kin = [spot for spot in headers if _common(spot.path, parent) > 0]
    if not kin:
        return Where(len(text), parent, header=True)
    closest = max(kin, key=lambda spot: (_common(spot.path, parent), spot.start))
    following = next((spot for spot in headers if spot.start > closest.start), None)
    return Where(len(text) if following is None else _with_comments(text, following.start), parent, header=True)


def _at_the_top(text: str, spots: Sequence[Spot]) -> Where:
    first = next((number for number, spot in enumerate(spots) if spot.kind == "header"), len(spots))
    own = [spot for spot in spots[:first] if spot.kind == "key"]
    if own:
        return Where(_line_end(text, own[-1].end), (), lead=_indent(text, own[-1].start))
    return Where(len(text) if first == len(spots) else _with_comments(text, spots[first].start), (), gap=True)


def _line_end(text: str, at: int) -> int:
    found = _REST_OF_LINE.match(text, at)
    return found.end() if found else len(text)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _indent(text: str, at: int) -> str:
    before = text[_line_start(text, at) : at]
    return before if not before.strip() else ""


def _with_comments(text: str, at: int) -> int:
    """The beginning of the comments that stand directly above a line."""
    start = _line_start(text, at)
    while start:
        above = _line_start(text, start - 1)
        if not text[above:start].lstrip().startswith("#"):
            break
        start = above
    return start
