"""What each key of a provider may send to each model, as the provider tells it."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from typing import Final

from sentient_cli.llm.limits.bucket import Bucket
from sentient_cli.llm.limits.headers import Told, read_limits
from sentient_cli.llm.provider import Request
from sentient_cli.llm.tokens import expected_tokens

__all__ = ["Shares"]

_MOST: Final = 10_000
"""So many pairs of a key and a model are remembered."""
_NOTHING: Final = (Told(), Told())


class Shares:
    """What is left, by key and model: vendors count each model of an account apart, or a family of them together.

    What is not known does not hold anybody up; the next answer tells.

    Example:
        >>> from sentient_cli.llm import Message
        >>> request, shares = Request(model="m", messages=(Message.user("Hi"),)), Shares()
        >>> headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "1"}
        >>> shares.told("key", request, headers, 0.0)
        >>> shares.take("key", request, 0.0)
        >>> shares.wait("key", request, 0.0), shares.wait("another", request, 0.0)
        (1.0, 0.0)
    """

    __slots__ = ("_shares", "_sized")

    def __init__(self) -> None:
        self._shares: dict[tuple[Hashable, str], tuple[Bucket, Bucket]] = {}
        self._sized: tuple[Request | None, int] = (None, 0)

    def wait(self, key: Hashable, request: Request, now: float) -> float:
        """Seconds until a request can be sent.

        Args:
            key: With which key.
            request: What is asked.
            now: Seconds, from any moment on.
        """
        share = self._shares.get((key, request.model)) if self._shares else None
        if share is None:
            return 0.0
        requests, tokens = share
        return max(requests.wait(1, now), tokens.wait(self._size(request, tokens), now))

    def take(self, key: Hashable, request: Request, now: float) -> None:
        """A request is sent; the arguments are those of `wait`."""
        share = self._shares.get((key, request.model)) if self._shares else None
        if share is not None:
            requests, tokens = share
            requests.take(1, now)
            tokens.take(self._size(request, tokens), now)

    def told(self, key: Hashable, request: Request, headers: Mapping[str, str], now: float) -> None:
        """An answer has begun.

        Args:
            key: With which key it was asked for.
            request: What was asked.
            headers: Those of the answer, with names in lower case.
            now: Seconds, from any moment on.
        """
        told = read_limits(headers, time.time())
        if told == _NOTHING:
            return
        share = self._shares.get((key, request.model))
        if share is None:
            if len(self._shares) >= _MOST:
                self._shares.clear()
            share = self._shares[key, request.model] = Bucket(None), Bucket(None)
        requests, tokens = share
        # What was taken for this request is in what the provider tells.
        requests.give_back(1)
        tokens.give_back(self._size(request, tokens))
        for bucket, each in zip(share, told, strict=True):
            bucket.learn(each.limit, each.remaining, each.reset, now)

    def _size(self, request: Request, tokens: Bucket) -> int:
        # A request is asked about several times in a row, and estimating it costs more than all the rest.
        if tokens.per_minute is None:
            return 0
        if self._sized[0] is not request:
            self._sized = (request, expected_tokens(request))
        return self._sized[1]
