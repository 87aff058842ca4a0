"""What is wrong with a settings file that was never written is told with places that its reader can look up."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from typing import TypeVar

from sentient_cli.errors import ConfigError, SentientError

__all__ = ["in_copy", "in_file"]

_E = TypeVar("_E", bound=SentientError)


def in_file(error: _E, file: Path, before: str, after: str, origin: str) -> _E:
    r"""An error in the text that a file would have had, with the places of the text that it has.

    Args:
        error: The error; it is not changed.
        file: The file.
        before: What it holds.
        after: What it would have held.
        origin: What is named in the place of lines that are not in it.

    Example:
        >>> file = Path("sentient.toml")
        >>> error = ConfigError("It is wrong", why="It stands in sentient.toml:3:1", where="sentient.toml:3:1")
        >>> in_file(error, file, "# a\nb = 1\n", "# a\n# new\nb = 1\n", "what was given").where
        'sentient.toml:2:1'
        >>> in_file(error, file, "", "# a\n\nb = 1\n", "what was given").why
        'It stands in what was given'
    """
    lines = _kept_lines(before.splitlines(), after.splitlines())

    def place(line: int, column: str) -> str:
        return f"{file}:{lines[line]}{column}" if line in lines else origin

    return _replaced(error, file, place)


def in_copy(error: _E, file: Path, path: Path) -> _E:
    """An error in the text that a file would have had, with the places in the copy that somebody wrote.

    Args:
        error: The error; it is not changed.
        file: The file.
        path: The copy.

    Example:
        >>> error = ConfigError("It is wrong", where="sentient.toml:3:1")
        >>> in_copy(error, Path("sentient.toml"), Path("copy.toml")).where
        'copy.toml:3:1'
    """
    return _replaced(error, file, lambda line, column: f"{path}:{line}{column}")


def _kept_lines(before: list[str], after: list[str]) -> dict[int, int]:
    """Where the lines of the new text that the old one has too stand in that; both count from 1."""
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    shorter -= start
    end = next((at for at in range(shorter) if before[-1 - at] != after[-1 - at]), shorter)
    middle = SequenceMatcher(None, after[start : len(after) - end], before[start : len(before) - end])
    blocks = [
        (0, 0, start),
        *((start + new, start + old, size) for new, old, size in middle.get_matching_blocks()),
        (len(after) - end, len(before) - end, end),
    ]
    return {new + step + 1: old + step + 1 for new, old, size in blocks for step in range(size)}


def _replaced(error: _E, file: Path, place: Callable[[int, str], str]) -> _E:
    places = re.compile(rf"(?<![^\s(\[`'\"]){re.escape(str(file))}:(\d+)(:\d+)?")

    def told(text: str) -> str:
        return places.sub(lambda found: place(int(found[1]), found[2] or ""), text)

    other = copy.copy(error)
    other.what, other.why, other.fix, other.detail = map(told, (error.what, error.why, error.fix, error.detail))
    if isinstance(other, ConfigError):
        other.where = told(other.where)
    return other
