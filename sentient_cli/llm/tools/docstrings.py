"""What a docstring says about a function and its parameters, for a model to read.

Understood are the ``Args:`` sections of Google's style, the underlined ``Parameters`` of NumPy's, and the
``:param name:`` fields of reStructuredText.
"""

from __future__ import annotations

import inspect
import re
from itertools import zip_longest

__all__ = ["describe"]

_SECTION = re.compile(
    r"(?P<args>(?:Keyword )?(?:Args|Arguments)|(?:Other )?Parameters)?"
    r"(?:Attributes|Examples?|Notes?|Raises|References|Returns|See Also|Warnings?|Yields)?:"
)
_FIELD = re.compile(r":(?:(?:param|parameter|arg|argument)\b[^:]*?(?P<name>\w+)|\w+[^:]*):[ \t]*(?P<text>.*)")
_UNDERLINED = re.compile(
    r"(?P<args>(?:Other )?Parameters)?"
    r"(?:Attributes|Examples?|Methods|Notes?|Raises|Receives|References|Returns|See Also|Warnings?|Warns|Yields)?"
)
_LINE = re.compile(r"-{3,}[ \t]*")
_NAMES = re.compile(r"(?P<names>\*{0,2}\w+(?:[ \t]*,[ \t]*\*{0,2}\w+)*)[ \t]*(?::.*)?")
_ENTRY = re.compile(r"(?P<indent>[ \t]+)\*{0,2}(?P<name>\w+)[ \t]*(?:\([^)]*\))?:[ \t]*(?P<text>.*)")


def describe(docstring: str | None) -> tuple[str, dict[str, str]]:
    r"""The text before the first section, and what is said about each parameter.

    Args:
        docstring: As it stands in the source.

    Example:
        >>> describe("Look up a city.\n\nArgs:\n    city: Its name,\n        in English.\n    days: Up to 9.")
        ('Look up a city.', {'city': 'Its name, in English.', 'days': 'Up to 9.'})
    """
    reader = _Reader()
    lines = [line.rstrip() for line in inspect.cleandoc(docstring or "").splitlines()]
    for line, after in zip_longest(lines, lines[1:], fillvalue=""):
        reader.read(line, is_underlined=_LINE.fullmatch(after) is not None)
    return "\n".join(reader.text).strip(), {name: " ".join(words) for name, words in reader.parameters.items()}


class _Reader:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.parameters: dict[str, list[str]] = {}
        self._in_text = True
        self._in_args = False
        self._in_names = False
        self._indent = ""
        self._words: list[str] = []

    def read(self, line: str, *, is_underlined: bool) -> None:
        heading = _UNDERLINED.fullmatch(line) if line and is_underlined else None
        if heading is not None:
            self._in_text = self._in_args = False
            self._in_names = heading["args"] is not None
            self._words = []
        elif self._in_names:
            self._read_named(line)
        else:
            self._read_plain(line)

    def _read_named(self, line: str) -> None:
        """A line below underlined parameters: names, or what is said of those above."""
        found = None if line[:1].isspace() else _NAMES.fullmatch(line)
        if found is not None:
            self._words = []
            for name in found["names"].split(","):
                self.parameters[name.strip(" \t*")] = self._words
        elif line[:1].isspace():
            self._words.append(line.strip())

    def _read_plain(self, line: str) -> None:
        section, field = _SECTION.fullmatch(line), _FIELD.fullmatch(line)
        if section or field:
            self._in_text = False
            self._in_args = bool(section and section["args"])
            self._indent = ""
            self._words = []
            if field and field["name"]:
                self._begin(field)
        elif self._in_text:
            self.text.append(line)
        elif not line[:1].isspace():
            self._in_args, self._words = self._in_args and not line, []
        elif not self._begin_entry(line):
            self._words.append(line.strip())

    def _begin_entry(self, line: str) -> bool:
        entry = _ENTRY.fullmatch(line) if self._in_args else None
        if entry is None or (self._indent and entry["indent"] != self._indent):
            return False
        self._indent = entry["indent"]
        self._begin(entry)
        return True

    def _begin(self, found: re.Match[str]) -> None:
        self._words = [found["text"]] if found["text"] else []
        self.parameters[found["name"]] = self._words
