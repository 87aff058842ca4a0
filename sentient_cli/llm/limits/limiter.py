"""Keeps what is sent to a provider within its limits: a call waits its turn, or goes elsewhere at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import (
    BudgetExceededError,
    CircuitOpenError,
    ConfigError,
    CredentialNotFoundError,
    RateLimitError,
)
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.limits.bucket import Bucket
from sentient_cli.llm.limits.headers import read_limits
from sentient_cli.llm.provider import RateLimits, Request
from sentient_cli.llm.tokens import USUAL_OUTPUT, tokens_of
from sentient_cli.llm.types import Chunk

__all__ = ["Limited", "Limiter"]

WAIT: Final = 10.0
"""Seconds that a call waits for its turn at most, where nothing else was said."""
_UNSENT: Final = (CircuitOpenError, BudgetExceededError, ConfigError, CredentialNotFoundError)
"""Errors that say that nothing was sent."""


class Limiter:
    """The limits of one provider and key.

    Args:
        limits: Those that are known from the start.
        clock: What the time is.

    Example:
        >>> import asyncio
        >>> limiter = Limiter(RateLimits(requests_per_minute=1))
        >>> async def main() -> None:
        ...     await limiter.acquire(10, max_wait=0)
        ...     await limiter.acquire(10, max_wait=0)
        >>> asyncio.run(main())
        Traceback (most recent call last):
        ...
        sentient_cli.errors.RateLimitError: The limit of requests is reached...
    """

    def __init__(self, limits: RateLimits | None = None, *, clock: Clock | None = None) -> None:
        limits = limits or RateLimits()
        self._clock = clock or SystemClock()
        self.requests: Bucket = Bucket(limits.requests_per_minute)
        self.tokens: Bucket = Bucket(limits.tokens_per_minute)
        self._learned: Mapping[str, str] | None = None

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what the headers of an answer say; of the same ones only once.

        Args:
            headers: Names in lower case.
        """
        if headers is self._learned:
            return
        self._learned = headers
        now = self._now()
        requests, tokens = read_limits(headers, now)
        self.requests.learn(requests.limit, requests.remaining, requests.reset, now)
        self.tokens.learn(tokens.limit, tokens.remaining, tokens.reset, now)

    async def acquire(self, tokens: float, *, max_wait: float = WAIT, provider: str = "") -> float:
        """Wait for one's turn.

        Args:
            tokens: Of the request and, about, of its answer.
            max_wait: Seconds to wait at most.
            provider: For the error.

        Returns:
            The seconds that it took.

        Raises:
            RateLimitError: it would take longer; nothing was taken, and ``retry_after`` says how long.
        """
        now = self._now()
        requests, by_tokens = self.requests.wait(1, now), self.tokens.wait(tokens, now)
        wait = max(requests, by_tokens)
        if wait > max_wait:
            what = "requests" if requests >= by_tokens else "tokens"
            bucket = self.requests if requests >= by_tokens else self.tokens
            raise RateLimitError(
                f"The limit of {what} is reached",
                why=f"It is {bucket.per_minute:.0f} a minute, and this would go out in {wait:.1f} s. Nothing was sent",
                fix="Send less at once, add another key or provider, or raise the limit if yours is higher",
                provider=provider,
                retry_after=wait,
            )
        self.requests.take(1, now)
        self.tokens.take(tokens, now)
        if wait > 0:
            try:
                await self._clock.sleep(wait)
            except BaseException:  # whoever leaves the queue leaves it to the others
                self.give_back(tokens)
                raise
        return wait

    def give_back(self, tokens: float) -> None:
        """Give back a turn that was not used: nothing was sent.

        Args:
            tokens: What was acquired.
        """
        self.requests.give_back(1)
        self.tokens.give_back(tokens)

    def settle(self, expected: float, used: float) -> None:
        """Say how many tokens it really were."""
        if used < expected:
            self.tokens.give_back(expected - used)
        else:
            self.tokens.take(used - expected, self._now())

    def _now(self) -> float:
        return self._clock.now_ns() / 1e9


class Limited:
    """Sends requests on when it is their turn. Stands around one provider, so that a call may go elsewhere.

    Args:
        inner: What answers.
        limiter_of: The limits of a provider, by its id; None: it has none.
        max_wait: Seconds that a call waits at most when nobody else can answer; else it goes there at once. It never
            waits for longer than it has time.
        told: The headers of a provider's last answer that tell of limits, by its id.
    """

    __slots__ = ("_inner", "_limiter_of", "_max_wait", "_told")

    def __init__(
        self,
        inner: Answering,
        limiter_of: Callable[[str], Limiter | None],
        *,
        max_wait: float = WAIT,
        told: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        self._inner = inner
        self._limiter_of = limiter_of
        self._max_wait = max_wait
        self._told = told

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer when it is one's turn.

        Raises:
            RateLimitError: that takes too long; nothing was sent.
            ProviderError: of the class that fits.
        """
        limiter = self._limiter_of(call.provider)
        # What has no limits is not slowed down by one more generator around it.
        return self._inner.stream(request, call) if limiter is None else self._limited(limiter, request, call)

    async def _limited(self, limiter: Limiter, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        provider = call.provider
        expected = tokens_of(request) + min(request.parameters.max_tokens or USUAL_OUTPUT, USUAL_OUTPUT)
        patience = 0.0 if call.alternatives else self._max_wait
        if call.deadline is not None:  # who would be too late need not wait
            patience = max(0.0, min(patience, call.deadline - asyncio.get_running_loop().time()))
        await limiter.acquire(expected, max_wait=patience, provider=provider)
        used: int | None = None
        answered = False
        source = self._inner.stream(request, call)
        try:
            async for chunk in source:
                answered = True
                if chunk.usage is not None:
                    used = chunk.usage.total
                yield chunk
        except _UNSENT:
            if not answered:
                limiter.give_back(expected)
            raise
        finally:
            if used is not None:
                limiter.settle(expected, used)
            if self._told is not None and (headers := self._told(provider)):
                limiter.learn(headers)
            await source.aclose()
