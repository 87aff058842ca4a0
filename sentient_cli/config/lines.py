"""In which line of a TOML document a key stands, which the parser does not tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["key_lines", "line_of"]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*')"""
_PATH = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*\[\[?[ \t]*({_PATH})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*({_PATH})[ \t]*=(.*)", re.DOTALL)
_STRING = re.compile(r'''"""|\'\'\'|"(?:\\.|[^"\\])*"|'[^']*'|#.*''')


def key_lines(source: str) -> Mapping[tuple[str, ...], int]:
    r"""The line, from 1, of every table and key of a document that the parser accepts, but those in inline tables.

    Example:
        >>> key_lines("[server]\nport = 1\n")
        {('server',): 1, ('server', 'port'): 2}
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    until = ""  # the delimiter of the string that is open
    depth = 0  # of the array that is open
    for number, line in enumerate(source.split("\n"), 1):
        rest = line
        if not until and not depth:
            if header := _HEADER.match(line):
                table = _split(header[1])
                lines.setdefault(table, number)
                continue
            key = _KEY.match(line)
            if key is None:
                continue
            lines.setdefault((*table, *_split(key[1])), number)
            rest = key[2]
        until, depth = _open(rest, until, depth)
    return lines


def _open(text: str, until: str, depth: int) -> tuple[str, int]:
    while text:
        if until:
            end = re.search(rf"(?<!\\)(?:\\\\)*{until}" if until == '"""' else until, text)
            if end is None:
                return until, depth
            text, until = text[end.end() :], ""
            continue
        found = _STRING.search(text)
        plain = text[: found.start()] if found else text
        depth += sum(plain.count(char) for char in "[{") - sum(plain.count(char) for char in "]}")
        if found is None:
            break
        until = found[0] if found[0] in {'"""', "'''"} else ""
        text = text[found.end() :]
    return until, max(depth, 0)


def _split(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, path))


def line_of(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    """The line of a key, or of the nearest table around it; 1 when nothing is known."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1
