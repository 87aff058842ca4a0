"""The ids of tool calls in a conversation: each of its own, and in the form that is taken, whoever gave them."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

__all__ = ["CallIds"]

_NOT_TAKEN: Final = re.compile(r"[^A-Za-z0-9_-]")


class CallIds:
    """Names the calls of one conversation, in their order, and their results likewise.

    Others give calls ids with characters that are not taken here, begin anew with each turn, or give none.

    Example:
        >>> ids = CallIds()
        >>> [ids.called(given) for given in ("a.b", "a_b", "", "")]
        ['a_b', 'a_b_2', 'call', 'call_2']
        >>> [ids.answered(given) for given in ("a_b", "", "a.b", "")]
        ['a_b_2', 'call', 'a_b', 'call_2']
    """

    __slots__ = ("_last", "_open", "_used")

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._open: dict[str, deque[str]] = {}
        self._last: dict[str, str] = {}

    def called(self, given: str) -> str:
        """The id of a call.

        Args:
            given: By whoever asked for it.
        """
        plain = _plain(given)
        identity, number = plain, 1
        while identity in self._used:
            number += 1
            identity = f"{plain}_{number}"
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
        return self._last.get(given) or _plain(given)


def _plain(given: str) -> str:
    return _NOT_TAKEN.sub("_", given) or "call"
