"""Words and phrases in a text, found in a time that does not depend on how many there are to be found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, cast

from sentient_cli.errors import ConfigError

__all__ = ["Words", "last_word"]

_LONGEST: Final = 200
_MOST: Final = 100_000
_SPACES: Final = re.compile(r"\s+")
_JOINED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
"""Letters of scripts in which words stand without spaces, or with their endings joined: each is a word's beginning."""
_IS_JOINED: Final = re.compile(f"[{_JOINED}]")


class Words:
    """Whole words and phrases, in whatever case and with whatever white space between them.

    In scripts without spaces between words, such as Chinese, they are found wherever they stand.

    Args:
        words: Those that are looked for.

    Raises:
        ConfigError: one is empty or too long, or there are too many.

    Example:
        >>> words = Words(["open sesame"])
        >>> words.find("Say: OPEN  sesame!", is_end=True), words.find("open sesames", is_end=True)
        (5, None)
        >>> words.begun("Say: open se"), words.begun("Say: open it")
        (5, 12)
    """

    __slots__ = ("_beginnings", "_start", "_whole", "longest")

    def __init__(self, words: Iterable[str]) -> None:
        if isinstance(words, str):
            raise ConfigError(f"The words are one text, {words!r:.80}", fix="Give a list of words: `[…]`")
        listed = list(words)
        odd = next((word for word in cast("list[object]", listed) if not isinstance(word, str)), None)
        if odd is not None:
            raise ConfigError(f"A word is a text, not {type(odd).__name__}", fix="Give a list of texts")
        self._whole = frozenset(_plain(word) for word in listed)
        bad = next((word for word in self._whole if not word or len(word) > _LONGEST), None)
        if bad is not None or len(self._whole) > _MOST:
            raise ConfigError(
                "The filter cannot look for these words",
                why=f"One has {len(bad)} characters" if bad is not None else f"There are {len(self._whole)}",
                fix=f"Give {_MOST} at most, of 1 to {_LONGEST} characters",
            )
        self._beginnings = frozenset(word[:end] for word in self._whole for end in range(1, len(word) + 1))
        firsts = sorted({word[0] for word in self._whole})
        first = "".join(map(re.escape, firsts))
        joined = "".join(char for char in firsts if _IS_JOINED.match(char))
        anywhere = f"|[{joined}]" if joined else ""
        self._start = re.compile(rf"(?<![^\W{_JOINED}])[{first or ' '}]{anywhere}", re.IGNORECASE)
        self.longest: int = 2 * max(map(len, self._whole), default=0)
        """So many characters one may need, with some room for white space."""

    def find(self, text: str, *, is_end: bool) -> int | None:
        """Where the first of them begins, if one is there as a whole.

        Args:
            text: Begins between two words.
            is_end: Whether nothing comes after it; else a word at its end may go on.
        """
        if not self._whole:
            return None
        for begin in self._start.finditer(text):
            if self._one_at(text, begin.start(), is_end=is_end):
                return begin.start()
        return None

    def begun(self, text: str) -> int:
        """Where one of them may have begun that the text does not hold as a whole; without one, its end."""
        if not self._whole:
            return len(text)
        for begin in self._start.finditer(text, max(0, len(text) - self.longest)):
            if _plain(text[begin.start() :], keep_end=True) in self._beginnings:
                return begin.start()
        return len(text)

    def _one_at(self, text: str, start: int, *, is_end: bool) -> bool:
        """Whether one begins there: as long as what is there begins one, a character more is looked at."""
        found = ""
        for end in range(start, len(text)):
            char = text[end]
            if char.isspace():
                if found.endswith(" "):
                    continue
                char = " "
            if found in self._whole and not (_in_spaced_word(char) and _in_spaced_word(found[-1])):
                return True
            found += char.casefold()
            if found not in self._beginnings:
                return False
        return is_end and found.rstrip(" ") in self._whole


def last_word(text: str, window: int) -> int:
    """Where the last word of a text begins, if the text ends in one; of a very long one, its end.

    Example:
        >>> last_word("to be or n", 100), last_word("to be.", 100)
        (9, 6)
    """
    for at in range(len(text), max(0, len(text) - window), -1):
        if not _in_word(text[at - 1]):
            return at
    return 0 if len(text) <= window else len(text)


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _in_spaced_word(char: str) -> bool:
    return _in_word(char) and not _IS_JOINED.match(char)


def _plain(text: str, *, keep_end: bool = False) -> str:
    plain = _SPACES.sub(" ", text).casefold()
    return plain.lstrip(" ") if keep_end else plain.strip(" ")
