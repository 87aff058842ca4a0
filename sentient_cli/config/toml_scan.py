"""Where each key and value of a TOML document stands, which the parser of the standard library does not tell."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Spot", "scan"]

Kind: TypeAlias = Literal["header", "key", "inline", "item"]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_VALUE: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:\\.|[^"\\])*"' + r"|'[^']*'" + r"|[^,\]}#\r\n]+", re.DOTALL
)


class Spot(NamedTuple):
    """A key and its value, an element of an array, or the header of a table, as offsets in the text.

    Args:
        path: The key from the top of the document; elements of arrays have their number in it.
        table: The beginning of it that is told by what is around: a header, an inline table.
        parts: Where each of the other names of ``path`` begins.
        value: Where the value begins; of a header its first bracket.
        end: What is behind the value.
        kind: A ``key`` has lines of its own, an ``inline`` one and an ``item`` stand within another value.
    """

    path: tuple[str, ...]
    table: tuple[str, ...]
    parts: tuple[int, ...]
    value: int
    end: int
    kind: Kind

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.value if self.kind == "header" else self.parts[0]


class _Open:
    """An array or inline table that has not ended yet."""

    __slots__ = ("count", "index", "is_table", "path")

    def __init__(self, index: int, path: tuple[str, ...], *, is_table: bool) -> None:
        self.index = index
        self.path = path
        self.is_table = is_table
        self.count = 0


class _LostError(Exception):
    """What stands here is no TOML that this module knows."""


def scan(text: str) -> Sequence[Spot]:
    r"""Every key, element and header of a document that the parser accepts, in their order.

    Of a document with other line ends the offsets are those of the text as it is.

    Example:
        >>> [(spot.path, spot.kind) for spot in scan("[server]\nport = { a = 1 }\n")][1:]
        [(('server', 'port'), 'key'), (('server', 'port', 'a'), 'inline')]
    """
    scanner = _Scanner(text)
    with contextlib.suppress(_LostError):  # no place is known of the rest; who edits checks what it comes to
        scanner.run()
    return scanner.spots


class _Scanner:
    def __init__(self, text: str) -> None:
        self.spots: list[Spot] = []
        self._text = text
        self._at = 0
        self._counts: dict[tuple[str, ...], int] = {}

    def run(self) -> None:
        table: tuple[str, ...] = ()
        while self._skip(_BLANK):
            if self._char() == "[":
                table = self._header()
            else:
                self._statement(table)

    def _char(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _require(self, char: str) -> None:
        self._skip(_SPACE)
        if self._char() != char:
            raise _LostError
        self._at += 1

    def _names(self) -> list[tuple[str, int]]:
        names: list[tuple[str, int]] = []
        while True:
            self._skip(_SPACE)
            found = _PART.match(self._text, self._at)
            if found is None:
                raise _LostError
            names.append((_unquoted(found[0]), self._at))
            self._at = found.end()
            self._skip(_SPACE)
            if self._char() != ".":
                return names
            self._at += 1

    def _header(self) -> tuple[str, ...]:
        start = self._at
        many = self._text.startswith("[[", start)
        self._at += 2 if many else 1
        names = self._names()
        for _ in range(2 if many else 1):
            self._require("]")
        offsets = tuple(offset for _, offset in names)
        path = self._numbered([name for name, _ in names[:-1]])
        full = (*path, names[-1][0])
        if many:
            self._counts[full] = self._counts.get(full, 0) + 1
            if self._counts[full] == 1:
                self.spots.append(Spot(full, (), offsets, start, self._at, "header"))
            full = (*full, str(self._counts[full] - 1))
        self.spots.append(Spot(full, (), offsets, start, self._at, "header"))
        return full

    def _numbered(self, names: Sequence[str]) -> tuple[str, ...]:
        path: tuple[str, ...] = ()
        for name in names:
            path = (*path, name)
            if path in self._counts:
                path = (*path, str(self._counts[path] - 1))
        return path

    def _statement(self, table: tuple[str, ...]) -> None:
        around: list[_Open] = []
        self._key(table, "key", around)
        while around:
            self._skip(_BLANK)
            inner, char = around[-1], self._char()
            if char and char in "]}":
                self._at += 1
                self.spots[inner.index] = self.spots[inner.index]._replace(end=self._at)
                around.pop()
            elif char == ",":
                self._at += 1
            elif inner.is_table:
                self._key(inner.path, "inline", around)
            else:
                path = (*inner.path, str(inner.count))
                inner.count += 1
                self._value(Spot(path, inner.path, (self._at,), self._at, 0, "item"), around)

    def _key(self, table: tuple[str, ...], kind: Kind, around: list[_Open]) -> None:
        names = self._names()
        self._require("=")
        self._skip(_SPACE)
        path = (*table, *(name for name, _ in names))
        self._value(Spot(path, table, tuple(offset for _, offset in names), self._at, 0, kind), around)

    def _value(self, spot: Spot, around: list[_Open]) -> None:
        char = self._char()
        if char and char in "[{":
            around.append(_Open(len(self.spots), spot.path, is_table=char == "{"))
            self._at += 1
        else:
            found = _VALUE.match(self._text, self._at)
            if found is None:
                raise _LostError
            self._at += len(found[0].rstrip(" \t"))
        self.spots.append(spot._replace(end=self._at))


def _unquoted(name: str) -> str:
    if name[0] == '"':
        import tomllib  # noqa: PLC0415 - only for names that need quotes

        value: object = tomllib.loads(f"name = {name}")["name"]
        return str(value)
    return name.strip("'")
