"""Several keys for one provider: calls are spread over them, and one that is refused or used up rests."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from sentient_cli.config.secret import Secret
from sentient_cli.errors import AuthenticationError, ProviderError, QuotaError, RateLimitError
from sentient_cli.llm.limits.shares import Shares
from sentient_cli.llm.provider import RateLimits, Request
from sentient_cli.redact import redactor

__all__ = ["KeyRing"]

T = TypeVar("T")

_REST: Final = 30.0
"""Seconds that a key rests when nobody says for how long."""
_LONG_REST: Final = 3600.0
"""The same for one that has no budget left, or is not known."""
_ALL: Final = ""
"""Stands for every model."""
_MOST: Final = 10_000
"""So many rests are remembered."""

_NO_KEYS: Final = frozenset({"ollama", "lm-studio", "not-needed"})
"""Words that are given to servers that want no key, and that other texts are full of."""

_logger = logging.getLogger(__name__)


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

    __slots__ = ("_keys", "_next", "_now", "_rests", "_shares")

    def __init__(self, keys: Sequence[Secret], now: Callable[[], float] = time.monotonic) -> None:
        self._keys: tuple[Secret | None, ...] = tuple(keys) or (None,)
        for told in {key.reveal() for key in keys} - _NO_KEYS:
            redactor.register(told)  # a provider that is made by hand has no host that does it
        self._now = now
        self._next = 0
        self._rests: dict[tuple[Secret | None, str], float] = {}
        self._shares = Shares()

    @property
    def count(self) -> int:
        """How many there are; 1 where calls get none."""
        return len(self._keys)

    @property
    def first(self) -> Secret | None:
        """The first of them: what belongs to the account of a key, such as a batch, is always asked about with it."""
        return self._keys[0]

    @property
    def awake(self) -> int:
        """How many keys can be used for any model."""
        now = self._now()
        resting = {key for (key, _), until in self._rests.items() if until > now}
        return sum(key is not None and key not in resting for key in self._keys)

    def take(self, request: Request | None = None) -> Secret | None:
        """The key whose turn it is; when all rest or are used up, the one that is ready first.

        Args:
            request: What it is for.
        """
        now, count = self._now(), len(self._keys)
        place = 0
        if count > 1:
            order = [(self._next + step) % count for step in range(count)]
            place = min(order, key=lambda each: self._wait(self._keys[each], request, now))  # of equals the first
            self._next = place + 1
        key = self._keys[place]
        if request is not None:
            self._shares.take(key, request, now)
        return key

    def bound(self, limits: RateLimits) -> None:
        """Keep each key within limits, besides those that the provider tells; those that hold already change nothing.

        Args:
            limits: How much each may send.
        """
        if limits != self._shares.limits:
            self._shares = Shares(limits)

    def settle(self, request: Request, used: int | None) -> None:
        """A request is over.

        Args:
            request: What was asked.
            used: Tokens that it took; None: nobody said.
        """
        self._shares.settle(request, used, self._now())

    def wait(self, request: Request) -> float:
        """Seconds until a key has something left for a request, by what is set and what was told; 0: one has now.

        Args:
            request: What is to be asked.
        """
        now = self._now()
        waits = [self._wait(key, request, now) for key in self._keys]
        awake = [used_up for rest, used_up in waits if not rest]
        return min(awake or [used_up for _, used_up in waits])

    def told(self, key: Secret | None, request: Request, headers: Mapping[str, str]) -> Mapping[str, str]:
        """An answer has begun: take over what it says of limits, and give that.

        Args:
            key: The key of the call.
            request: What was asked.
            headers: Those of the answer, with names in lower case.
        """
        limits = {name: value for name, value in headers.items() if "ratelimit" in name}
        if limits:
            self._shares.told(key, request, limits, self._now())
        return limits

    async def having(self, send: Callable[[Secret | None], Awaitable[T]], request: Request | None = None) -> T:
        """Send something with a key and, where that is refused, with the next: each is asked once at most.

        Args:
            send: Sends it with a key.
            request: What it is, if it is a request to a model.

        Raises:
            ProviderError: it failed, and not for its key, or all keys were refused.
        """
        for left in reversed(range(len(self._keys))):
            key = self.take(request)
            try:
                return await send(key)
            except ProviderError as error:
                if not self._rest(key, error, request) or not left:
                    raise
                _logger.warning("%s: another key is used", error.what)
        raise AssertionError  # there is one key at least, if it is none

    def refused(self, key: Secret | None, error: ProviderError, request: Request | None = None) -> None:
        """A call with a key failed: let the key rest, if it is the key that was refused.

        When another key can be used at once, the error says so: it is retryable, without a wait.

        Args:
            key: The key of the call.
            error: How it failed.
            request: What was asked; a limit of one model is none of another.
        """
        self._rest(key, error, request)

    def _rest(self, key: Secret | None, error: ProviderError, request: Request | None) -> bool:
        """Let a key rest if it was refused, and say whether another one can be used at once."""
        if key is None or not isinstance(error, RateLimitError | QuotaError | AuthenticationError):
            return False
        limited = isinstance(error, RateLimitError)
        now = self._now()
        until = now + (error.retry_after if error.retry_after is not None else _REST if limited else _LONG_REST)
        if len(self._rests) >= _MOST:
            self._rests.clear()
        place = key, request.model if limited and request is not None else _ALL
        self._rests[place] = max(until, self._rests.get(place, 0.0))
        if not any(self._wait(each, request, now) == (0.0, 0.0) for each in self._keys):
            return False
        error.retryable = True
        error.retry_after = 0.0
        return True

    def _wait(self, key: Secret | None, request: Request | None, now: float) -> tuple[float, float]:
        """Seconds that a key still rests, and seconds until it has something left."""
        if not self._rests and request is None:
            return 0.0, 0.0
        rest = self._rests.get((key, _ALL), 0.0)
        if request is None:
            return max(0.0, rest - now), 0.0
        rest = max(rest, self._rests.get((key, request.model), 0.0))
        return max(0.0, rest - now), self._shares.wait(key, request, now)
