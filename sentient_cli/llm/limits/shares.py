"""What each key of a provider may send, as it is set, and to each model, as the provider tells it."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping
from typing import Final

from sentient_cli.llm.limits.bucket import Bucket
from sentient_cli.llm.limits.headers import Told, read_limits
from sentient_cli.llm.provider import RateLimits, Request
from sentient_cli.llm.tokens import expected_tokens

__all__ = ["Shares"]

_MOST: Final = 10_000
"""So many pairs of a key and a model are remembered."""
_NOTHING: Final = (Told(), Told())
_NO_LIMITS: Final = RateLimits()


class Shares:
    """What is left, by key and model: vendors count each model of an account apart, or a family of them together.

    What is not known does not hold anybody up; the next answer tells. What is set counts for a key with all its models.

    Args:
        limits: What is set for each key.

    Example:
        >>> from sentient_cli.llm import Message
        >>> request, shares = Request(model="m", messages=(Message.user("Hi"),)), Shares()
        >>> headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "1"}
        >>> shares.told("key", request, headers, 0.0)
        >>> shares.take("key", request, 0.0)
        >>> shares.wait("key", request, 0.0), shares.wait("another", request, 0.0)
        (1.0, 0.0)
    """

    __slots__ = ("_is_set", "_sent", "_set", "_shares", "_sized", "limits")

    def __init__(self, limits: RateLimits = _NO_LIMITS) -> None:
        self.limits: RateLimits = limits
        self._is_set = limits != _NO_LIMITS
        self._set: dict[Hashable, tuple[Bucket, Bucket]] = {}
        self._sent: dict[str, tuple[Hashable, int]] = {}
        self._shares: dict[tuple[Hashable, str], tuple[Bucket, Bucket]] = {}
        self._sized: tuple[Request | None, int] = (None, 0)

    def wait(self, key: Hashable, request: Request, now: float) -> float:
        """Seconds until a request can be sent.

        Args:
            key: With which key.
            request: What is asked.
            now: Seconds, from any moment on.
        """
        wait = 0.0
        if not self._shares and not self._is_set:  # nearly always
            return wait
        for requests, tokens in self._of(key, request):
            wait = max(wait, requests.wait(1, now), tokens.wait(self._size(request, tokens), now))
        return wait

    def take(self, key: Hashable, request: Request, now: float) -> None:
        """A request is sent; the arguments are those of `wait`."""
        if not self._shares and not self._is_set:
            return
        for requests, tokens in self._of(key, request):
            requests.take(1, now)
            tokens.take(self._size(request, tokens), now)
        if self.limits.tokens_per_minute is not None and request.call:
            if len(self._sent) >= _MOST:
                self._sent.clear()
            self._sent[request.call] = key, self._size(request, self._set[key][1])

    def settle(self, request: Request, used: int | None, now: float) -> None:
        """A request is over: give back of what is set for its key what it did not use.

        Args:
            request: What was asked.
            used: Tokens that it took; None: nobody said.
            now: Seconds, from any moment on.
        """
        key, expected = self._sent.pop(request.call, (None, 0))
        if used is not None and key in self._set:
            tokens = self._set[key][1]
            tokens.give_back(expected - used) if used < expected else tokens.take(used - expected, now)

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

    def _of(self, key: Hashable, request: Request) -> Iterator[tuple[Bucket, Bucket]]:
        """The requests and the tokens that a key has left: of what is set, and of what was told."""
        if self._is_set:
            pair = self._set.get(key)
            if pair is None:
                limits = self.limits
                pair = self._set[key] = Bucket(limits.requests_per_minute), Bucket(limits.tokens_per_minute)
            yield pair
        share = self._shares.get((key, request.model)) if self._shares else None
        if share is not None:
            yield share

    def _size(self, request: Request, tokens: Bucket) -> int:
        # A request is asked about several times in a row, and estimating it costs more than all the rest.
        if tokens.per_minute is None:
            return 0
        if self._sized[0] is not request:
            self._sized = (request, expected_tokens(request))
        return self._sized[1]
