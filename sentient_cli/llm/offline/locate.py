"""Finds the line of a key in TOML or JSON, whose parsers keep no positions. A best guess: 1 when it is not found."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["json_line", "toml_line"]

_STEP = re.compile(r"\[(\d+)\]|\.?([A-Za-z0-9_\-]+)")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\-\"' ]+?)\s*\]\]?\s*(?:#.*)?$")
_TRIPLE = re.compile(r'"""|\'\'\'')


def steps(path: str) -> tuple[str | int, ...]:
    """The steps of a path as the validator writes it.

    Example:
        >>> steps("$.rule[1].fail.kind")
        ('rule', 1, 'fail', 'kind')
    """
    return tuple(int(found[1]) if found[1] else found[2] for found in _STEP.finditer(path.removeprefix("$")))


def json_line(text: str, path: str) -> int:
    """The line of a path in a JSON document that parses."""
    wanted = steps(path)
    best, best_line = 0, 1
    for at, line in _json_places(text):
        if len(at) > best and at == wanted[: len(at)]:
            best, best_line = len(at), line
    return best_line


def _json_places(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
    stack: list[str | int] = []
    line, seen, key_next = 1, 0, False
    for token in _JSON_TOKEN.finditer(text):
        line += text.count("\n", seen, token.start())
        seen = token.start()
        word = token[0]
        in_array = bool(stack) and isinstance(stack[-1], int)
        if word in "}]":
            stack = stack[:-1]
            key_next = False
        elif word == ",":
            key_next = bool(stack) and not in_array
            if in_array:
                stack[-1] = int(stack[-1]) + 1
        elif key_next or (in_array and word != ":"):
            if key_next:
                stack[-1] = word.strip('"')
            key_next = False
            yield tuple(stack), line
        if word in "{[":
            stack.append("" if word == "{" else 0)
            key_next = word == "{"


def toml_line(text: str, path: str) -> int:
    """The line of a path in a TOML document that parses."""
    wanted = steps(path)
    at: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    best, best_line, quoted = 0, 1, False
    for number, line in enumerate(text.split("\n"), 1):
        if not quoted:
            header = _HEADER.match(line)
            if header:
                at = _enter(header[2], counts, array=header[1] == "[[")
            key = None if header else re.match(r"\s*([\w\-.\"']+)\s*=", line)
            place = at + tuple(key[1].replace('"', "").split(".")) if key else at
            shared = _shared(place, wanted)
            if shared > best and (key or header):
                best, best_line = shared, number
        quoted ^= len(_TRIPLE.findall(line)) % 2 == 1
    return best_line


def _enter(name: str, counts: dict[tuple[str | int, ...], int], *, array: bool) -> tuple[str | int, ...]:
    at: tuple[str | int, ...] = ()
    parts = [part.strip(" \"'") for part in name.split(".")]
    for place, part in enumerate(parts, 1):
        at = (*at, part)
        if place == len(parts) and array:
            counts[at] = counts.get(at, -1) + 1
        if at in counts:
            at = (*at, counts[at])
    return at


def _shared(left: tuple[str | int, ...], right: tuple[str | int, ...]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
