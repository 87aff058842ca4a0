"""One key of a TOML document is set or taken away, and every other character stays as it is.

The text is cut at the places that `sentient_cli.config.toml_scan` knows, not written anew. What comes of it is parsed
and compared: a document that would not say exactly what was asked for is refused.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from sentient_cli.config.toml_place import Where, place_for
from sentient_cli.config.toml_scan import Spot, scan
from sentient_cli.config.toml_text import key_text, value_text
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["has_key", "parse", "set_key", "unset_key"]

Table: TypeAlias = dict[str, object]

_OURS: Final = ("tool", "sentient")
_REST_OF_LINE: Final = re.compile(r"[^\n]*\n?")
_ENDS_EMPTY: Final = re.compile(r"(?:\A|\n\r?\n)\Z")
_BEGINS_EMPTY: Final = re.compile(r"\r?\n")
_DEEPEST: Final = 100
_COMMA: Final = re.compile(r"\s*,\s*")


def parse(text: str) -> Table:
    """A document as the parser has it.

    Raises:
        ConfigError: it is no TOML.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("The settings file is not valid TOML", why=str(error), fix="Correct it first") from None
    except ValueError:  # more digits than Python reads
        raise ConfigError("A number in the settings file has too many digits", fix="Correct it first") from None
    except RecursionError:
        document = None
    if document is None or _is_deep(document):
        raise ConfigError("The settings file is nested too deeply", fix="Flatten it")
    return document


def _is_deep(document: Table) -> bool:
    """Whether what goes through it by calling itself would not come to an end."""
    level: list[object] = [document]
    for _ in range(_DEEPEST):
        insides = (
            cast("Table", each).values() if isinstance(each, dict) else cast("list[object]", each) for each in level
        )
        level = [each for inside in insides for each in inside if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def has_key(text: str, path: Sequence[str]) -> bool:
    """Whether a document has a key, or a table.

    Args:
        text: The document.
        path: The key.

    Raises:
        ConfigError: it is no TOML.

    Example:
        >>> has_key("[server]", ["server"]), has_key("[server]", ["server", "port"])
        (True, False)
    """
    table: Table | None = parse(text)
    for name in path:
        if table is None or name not in table:
            return False
        inner = table[name]
        table = cast("Table", inner) if isinstance(inner, dict) else None
    return True


def set_key(text: str, path: Sequence[str], value: object) -> str:
    r"""Set a key.

    Args:
        text: The document, with the line ends that it has.
        path: The key from the top of the document.
        value: Its value, as for `sentient_cli.config.toml_text.value_text`.

    Raises:
        ConfigError: the key cannot be set without changing another one, or TOML has no such value.

    Example:
        >>> set_key("[server]  # ours\nport = 8000  # the usual\n", ["server", "port"], 9000)
        '[server]  # ours\nport = 9000  # the usual\n'
        >>> set_key("[server]\nport = 1\n", ["llm", "model"], "offline")
        '[server]\nport = 1\n\n[llm]\nmodel = "offline"\n'
    """
    names = tuple(path)
    before = parse(text)
    _require_no_table(before, names, value)
    wanted = _with(before, names, value)
    spots = scan(text)
    known = next((spot for spot in spots if spot.path == names and spot.kind in {"key", "inline"}), None)
    if known is None and any(spot.path[: len(names)] == names for spot in spots):
        text = _without_spots(text, spots, names)  # a table with lines of its own becomes a value
        spots = scan(text)
    if known is not None:
        written = value_text(value, like=text[known.value : known.end])
        edited = text[: known.value] + _with_line_ends(written, text) + text[known.end :]
    else:
        edited = _with_line_ends(_inserted(text, spots, names, value), text)
    return _checked(edited, wanted, names)


def unset_key(text: str, path: Sequence[str], *, keep_table: bool = False) -> str:
    r"""Take a key away, with all that is in it and the comment at the end of its line. An absent one changes nothing.

    Args:
        text: The document.
        path: The key, or a table.
        keep_table: Whether the table that it is in stays where nothing is left in it.

    Raises:
        ConfigError: the key cannot be taken away without changing another one.

    Example:
        >>> unset_key("# Where\n[server]\nport = 1  # here\nhost = 'a'\n", ["server", "port"])
        "# Where\n[server]\nhost = 'a'\n"
    """
    names = tuple(path)
    wanted = _without(parse(text), names)
    if wanted is None:
        return text
    spots = scan(text)
    edited = _without_spots(text, spots, names)
    return _checked(edited if keep_table else _without_empty(edited, _header_over(spots, names)), wanted, names)


def _require_no_table(document: Table, names: tuple[str, ...], value: object) -> None:
    found: object = document
    for name in names:
        found = cast("Mapping[str, object]", found).get(name) if isinstance(found, Mapping) else None
    if isinstance(found, dict) and found and not isinstance(value, Mapping):
        raise ConfigError(
            f"`{key_text(names)}` is a table, and would be lost",
            fix=f"Take it away first: `sentient config unset {key_text(names)}`",
        )


def _inserted(text: str, spots: Sequence[Spot], names: tuple[str, ...], value: object) -> str:
    where = place_for(text, spots, names)
    line = f"{key_text(names[len(where.table) :])} = {value_text(value)}"
    before, after = text[: where.at], text[where.at :]
    if where.inline:
        return f"{before}{where.lead}{line}{where.tail}{after}"
    return before + _lines(before, after, where, line) + after


def _lines(before: str, after: str, where: Where, line: str) -> str:
    start = "\n" if before and not before.endswith("\n") else ""
    if where.header:
        gap = "\n" if before.strip() and not before.endswith("\n\n") and not before.endswith("\n\r\n") else ""
        end = "\n" if after.strip() else ""
        return f"{start}{gap}[{key_text(where.table)}]\n{line}\n{end}"
    gap = "\n" if where.gap and after.strip() else ""
    return f"{start}{where.lead}{line}\n{gap}"


def _with_line_ends(text: str, model: str) -> str:
    first = model.find("\n")
    if first > 0 and model[first - 1] == "\r":
        return re.sub(r"(?<!\r)\n", "\r\n", text)
    return text


def _without_spots(text: str, spots: Sequence[Spot], names: tuple[str, ...]) -> str:
    cuts: list[tuple[int, int]] = []
    for number, spot in enumerate(spots):
        if spot.path[: len(names)] != names or (cuts and spot.start < cuts[-1][1]):
            continue
        if spot.kind == "inline":
            cuts.append(_inline_cut(text, spots, number))
        elif spot.kind != "item":
            start = text.rfind("\n", 0, spot.start) + 1
            rest = _REST_OF_LINE.match(text, spot.end)
            cuts.append((start, rest.end() if rest else len(text)))
    for start, end in reversed(cuts):
        before, after = text[:start], text[end:]
        if _ENDS_EMPTY.search(before) and (empty := _BEGINS_EMPTY.match(after)):
            after = after[empty.end() :]  # one empty line is enough where a table was
        text = before + after
    return text


def _header_over(spots: Sequence[Spot], names: tuple[str, ...]) -> tuple[str, ...]:
    """The table under whose header a key stands, from which dots may lead on to it."""
    headers = {spot.path for spot in spots if spot.kind == "header"}
    ways = (names[:length] for length in range(len(names) - 1, 0, -1))
    return next((way for way in ways if way in headers), names[:-1])


def _without_empty(text: str, table: tuple[str, ...]) -> str:
    """Without a table in which nothing is left, not even a comment. The one that makes a project one stays."""
    headers = [spot for spot in scan(text) if spot.kind != "item" and spot.path[: len(table)] == table]
    if len(headers) != 1 or headers[0].kind != "header" or headers[0].path != table or table == _OURS:
        return text
    start = text.rfind("\n", 0, headers[0].value) + 1
    above = text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : start]
    following = next((spot.start for spot in scan(text) if spot.start > headers[0].start), len(text))
    if "#" in text[start:following] or above.lstrip().startswith("#"):
        return text
    return _without_spots(text, headers, table)


def _inline_cut(text: str, spots: Sequence[Spot], number: int) -> tuple[int, int]:
    """From where to where an entry of an inline table goes, with one comma."""
    spot = spots[number]
    behind = _COMMA.match(text, spot.end)
    if behind is not None:
        return spot.start, behind.end()
    around = max(
        (other for other in spots if other.value < spot.start and other.end > spot.end), key=lambda it: it.value
    )
    before = [other.end for other in spots if around.value < other.start and other.end < spot.start]
    return max(before, default=spot.start), spot.end


def _checked(edited: str, wanted: Table, names: tuple[str, ...]) -> str:
    try:
        came_to = tomllib.loads(edited)
    except (ValueError, RecursionError):
        came_to = None
    if came_to is None or not _same(_pruned(came_to, names[:-1]), _pruned(wanted, names[:-1])):
        raise ConfigError(
            f"`{key_text(names)}` cannot be changed without changing other lines",
            why="It is part of a table that is written in an unusual way",
            fix="Change it by hand: `sentient config edit`",
        )
    return edited


def _same(one: object, other: object) -> bool:
    # As text, because nan is not equal to itself, and 1 and true and 1.0 are.
    return _ordered(one) == _ordered(other)


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        table = cast("Table", value)
        return {name: _ordered(table[name]) for name in sorted(table)}
    if isinstance(value, list):
        return [_ordered(item) for item in cast("list[object]", value)]
    return f"{type(value).__name__} {value!r}"


def _with(document: Table, names: tuple[str, ...], value: object) -> Table:
    document = copy.deepcopy(document)
    table = document
    for number, name in enumerate(names[:-1], 1):
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f"`{key_text(names)}` cannot be set",
                why=f"`{key_text(names[:number])}` is no table",
                fix=f"Take it away first: `sentient config unset {key_text(names[:number])}`",
            )
        table = cast("Table", inner)
    table[names[-1]] = tomllib.loads(f"value = {value_text(value)}")["value"]
    return document


def _without(document: Table, names: tuple[str, ...]) -> Table | None:
    """The document without a key; None where it has none."""
    document = copy.deepcopy(document)
    table = document
    for name in names[:-1]:
        inner = table.get(name)
        if not isinstance(inner, dict):
            return None
        table = cast("Table", inner)
    if names[-1] not in table:
        return None
    del table[names[-1]]
    return document


def _pruned(table: Table, names: tuple[str, ...]) -> Table:
    """Without the tables on a way that are empty, since those that dots make are gone with the last key in them."""
    inner = table.get(names[0]) if names else None
    if not isinstance(inner, dict):
        return table
    kept = _pruned(cast("Table", inner), names[1:])
    return {**table, names[0]: kept} if kept else {name: item for name, item in table.items() if name != names[0]}
