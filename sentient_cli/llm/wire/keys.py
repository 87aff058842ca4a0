"""Several keys for one provider: calls are spread over them, and one that is refused rests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.errors import AuthenticationError, ProviderError, QuotaError, RateLimitError
from sentient_cli.redact import redactor

__all__ = ["KeyRing"]

_REST: Final = 30.0
"""Seconds that a key rests when nobody says for how long."""
_LONG_REST: Final = 3600.0
"""The same for one that has no budget left, or is not known."""

_NO_KEYS: Final = frozenset({"ollama", "lm-studio", "not-needed"})
"""Words that are given to servers that want no key, and that other texts are full of."""


class KeyRing:
    """Gives each call a key.

    Args:
        keys: The keys; without any, calls get none.
        now: Seconds that never go back.

    Example:
        >>> ring = KeyRing([Secret("one"), Secret("two")])
        >>> first = ring.take()
        >>> ring.refused(first, RateLimitError("Slow down", retry_after=60))
        >>> ring.take() == ring.take() == Secret("two")
        True
    """

    __slots__ = ("_keys", "_next", "_now", "_rests")

    def __init__(self, keys: Sequence[Secret], now: Callable[[], float] = time.monotonic) -> None:
        self._keys = tuple(keys)
        for told in {key.reveal() for key in self._keys} - _NO_KEYS:
            redactor.register(told)  # a provider that is made by hand has no host that does it
        self._now = now
        self._next = 0
        self._rests: dict[Secret, float] = {}

    @property
    def awake(self) -> int:
        """How many keys do not rest."""
        now = self._now()
        return sum(self._rests.get(key, 0.0) <= now for key in self._keys)

    def take(self) -> Secret | None:
        """The key whose turn it is; when all rest, the one that wakes first."""
        if not self._keys:
            return None
        if not self._rests:
            key = self._keys[self._next % len(self._keys)]
            self._next += 1
            return key
        now, count = self._now(), len(self._keys)
        for step in range(count):
            key = self._keys[(self._next + step) % count]
            if self._rests.get(key, 0.0) <= now:
                self._next += step + 1
                return key
        return min(self._keys, key=lambda one: self._rests.get(one, 0.0))

    def refused(self, key: Secret | None, error: ProviderError) -> None:
        """A call with a key failed: let the key rest, if it is the key that was refused.

        When another key can be used at once, the error says so: it is retryable, without a wait.

        Args:
            key: The key of the call.
            error: How it failed.
        """
        if key is None or not isinstance(error, RateLimitError | QuotaError | AuthenticationError):
            return
        seconds = _REST if isinstance(error, RateLimitError) else _LONG_REST
        until = self._now() + (error.retry_after if error.retry_after is not None else seconds)
        self._rests[key] = max(until, self._rests.get(key, 0.0))
        if self.awake:
            error.retryable = True
            error.retry_after = 0.0
