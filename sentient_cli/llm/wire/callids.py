"""The ids of tool calls in a conversation: each of its own, and in the form that is taken, whoever gave them.

What is taken: Anthropic letters, digits, ``_`` and ``-``; Mistral nine letters and digits, and nothing else
(https://mistralai.github.io/mistral-common/usage/tools); OpenAI 64 characters, and 40 in chat completions.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

__all__ = ["CallIds", "IdForm"]

IdForm: TypeAlias = Literal["words", "short", "long", "nine"]
"""Letters, digits, ``_`` and ``-``; any up to 40 characters; any up to 64; nine letters and digits."""

_NOT_TAKEN: Final = re.compile(r"[^A-Za-z0-9_-]")
_NINE: Final = re.compile(r"[A-Za-z0-9]{9}")
_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class CallIds:
    """Names the calls of one conversation, in their order, and their results likewise.

    Others give calls ids in another form, begin anew with each turn, or give none.

    Args:
        form: The form that is taken.

    Example:
        >>> ids = CallIds("words")
        >>> [ids.called(given) for given in ("a.b", "a_b", "", "")]
        ['a_b', 'a_b_2', 'call', 'call_2']
        >>> [ids.answered(given) for given in ("a_b", "", "a.b", "")]
        ['a_b_2', 'call', 'a_b', 'call_2']
        >>> len(CallIds("nine").called("call_1"))
        9
    """

    __slots__ = ("_last", "_made", "_open", "_used")

    def __init__(self, form: IdForm) -> None:
        self._made = _FORMS[form]
        self._used: set[str] = set()
        self._open: dict[str, deque[str]] = {}
        self._last: dict[str, str] = {}

    def called(self, given: str) -> str:
        """The id of a call.

        Args:
            given: By whoever asked for it.
        """
        identity, number = self._made(given, 1), 1
        while identity in self._used:
            number += 1
            identity = self._made(given, number)
        self._used.add(identity)
        self._open.setdefault(given, deque()).append(identity)
        return identity

    def answered(self, given: str) -> str:
        """The id of the call that a result is of: the first of that name without a result.

        Args:
            given: As for `called`.
        """
        waiting = self._open.get(given)
        if waiting:
            self._last[given] = waiting.popleft()
        return self._last.get(given) or self._made(given, 1)


def _numbered(plain: str, number: int) -> str:
    plain = plain or "call"
    return plain if number == 1 else f"{plain}_{number}"


def _words(given: str, number: int) -> str:
    return _numbered(_NOT_TAKEN.sub("_", given), number)


def _short(given: str, number: int) -> str:
    return _within(40, _numbered(given, number))


def _long(given: str, number: int) -> str:
    return _within(64, _numbered(given, number))


def _within(most: int, text: str) -> str:
    return text if len(text) <= most else f"call_{_drawn(text, 24)}"


def _nine(given: str, number: int) -> str:
    return given if number == 1 and _NINE.fullmatch(given) else _drawn(_numbered(given, number), 9)


def _drawn(text: str, length: int) -> str:
    """Letters and digits that are the same for the same text: what a provider has cached stays of use."""
    drawn = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in drawn[:length])


_FORMS: Final[Mapping[IdForm, Callable[[str, int], str]]] = {
    "words": _words,
    "short": _short,
    "long": _long,
    "nine": _nine,
}
