"""Keeps what is sent to a provider within its limits: a call waits its turn, or goes elsewhere at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeAlias

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import (
    BudgetExceededError,
    CircuitOpenError,
    ConfigError,
    CredentialNotFoundError,
    PoolExhaustedError,
    RateLimitError,
)
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.limits.bucket import Bucket
from sentient_cli.llm.limits.headers import read_limits
from sentient_cli.llm.provider import RateLimits, Request
from sentient_cli.llm.tokens import expected_tokens
from sentient_cli.llm.types import Chunk, JsonValue

__all__ = ["Keys", "Limited", "Limiter", "Pause"]

WAIT: Final = 10.0
"""Seconds that a call waits for its turn at most, where nothing else was said."""
_UNSENT: Final = (CircuitOpenError, BudgetExceededError, ConfigError, CredentialNotFoundError, PoolExhaustedError)
"""Errors that say that nothing was sent."""


Waits: TypeAlias = Callable[[float, str], None]
"""Told for how many seconds it is waited, and for what."""
Pause: TypeAlias = Callable[[float], Awaitable[object]]
"""Waits for so many seconds, or until it makes no sense to wait any more."""


def _none_of(provider: str) -> None:
    del provider


class Limiter:
    """The limits of one provider.

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

    async def acquire(
        self,
        tokens: float,
        *,
        max_wait: float = WAIT,
        provider: str = "",
        waits: Waits | None = None,
        pause: Pause | None = None,
    ) -> float:
        """Wait for one's turn.

        Args:
            tokens: Of the request and, about, of its answer.
            max_wait: Seconds to wait at most.
            provider: For the error.
            waits: Told for how many seconds it is waited, and for what: ``requests`` or ``tokens``.
            pause: Waits in the place of the clock.

        Returns:
            The seconds that it took.

        Raises:
            RateLimitError: it would take longer; nothing was taken, and ``retry_after`` says how long.
        """
        now = self._now()
        requests, by_tokens = self.requests.wait(1, now), self.tokens.wait(tokens, now)
        wait = max(requests, by_tokens)
        what = "requests" if requests >= by_tokens else "tokens"
        if wait > max_wait:
            bucket = self.requests if requests >= by_tokens else self.tokens
            raise _unsent(
                f"The limit of {what} is reached",
                f"It is {bucket.per_minute:.0f} a minute, and this would go out in {wait:.1f} s",
                "Send less at once, add another key or provider, raise the limit if yours is higher, or wait longer by"
                " `llm.limit_wait`",
                provider,
                wait,
            )
        self.requests.take(1, now)
        self.tokens.take(tokens, now)
        if wait > 0:
            if waits is not None:
                waits(wait, what)
            try:
                await (pause or self._clock.sleep)(wait)
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


class Keys(Protocol):
    """The keys of a provider, which know what each may send: a `KeyRing`."""

    def wait(self, request: Request) -> float:
        """Seconds until one of them has something left for a request; 0: one has now."""
        ...

    def settle(self, request: Request, used: int | None) -> None:
        """A request is over and took so many tokens; None: nobody said."""
        ...


class Limited:
    """Sends requests on when it is their turn. Stands around one provider, so that a call may go elsewhere.

    Args:
        inner: What answers.
        limiter_of: The limits of a provider, by its id; None: it has none.
        max_wait: Seconds that a call waits at most when nobody else can answer; else it goes there at once. It never
            waits for longer than it has time.
        keys_of: The keys of a provider, by its id, where they know what it tells of limits.
        told: The headers of a provider's last answer that tell of limits, by its id, where its keys do not know them.
        clock: Waits for keys.
        pause_of: Waits for a provider, by its id; None: the clock does. When it ends early, the provider tells why.
    """

    __slots__ = ("_clock", "_inner", "_keys_of", "_limiter_of", "_max_wait", "_pause_of", "_told")

    def __init__(
        self,
        inner: Answering,
        limiter_of: Callable[[str], Limiter | None] = _none_of,
        *,
        max_wait: float = WAIT,
        keys_of: Callable[[str], Keys | None] = _none_of,
        told: Callable[[str], Mapping[str, str]] | None = None,
        clock: Clock | None = None,
        pause_of: Callable[[str], Pause | None] = _none_of,
    ) -> None:
        self._pause_of = pause_of
        self._inner = inner
        self._limiter_of = limiter_of
        self._max_wait = max_wait
        self._keys_of = keys_of
        self._told = told
        self._clock = clock or SystemClock()

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer when it is one's turn.

        Raises:
            RateLimitError: that takes too long; nothing was sent.
            ProviderError: of the class that fits.
        """
        limiter, keys = self._limiter_of(call.provider), self._keys_of(call.provider)
        if keys is not None and keys.wait(request) > 0:
            return self._behind(keys, limiter, request, call)
        # What has no limits is not slowed down by one more generator around it.
        if limiter is None:
            return self._inner.stream(request, call)
        return self._limited(limiter, keys, request, call)

    async def _behind(
        self, keys: Keys, limiter: Limiter | None, request: Request, call: Call
    ) -> AsyncGenerator[Chunk, None]:
        patience = self._patience(call)
        while (wait := keys.wait(request)) > 0:
            patience -= wait
            if patience < 0:
                raise _out_of_keys(call.provider, wait)
            _tell(call, wait, "keys")
            if await (self._pause_of(call.provider) or self._clock.sleep)(wait) is False:
                break
        source = self._inner.stream(request, call) if limiter is None else self._limited(limiter, keys, request, call)
        try:
            async for chunk in source:
                yield chunk
        finally:
            await source.aclose()

    def _patience(self, call: Call) -> float:
        patience = 0.0 if call.alternatives else self._max_wait
        if call.deadline is None:
            return patience
        # Who would be too late need not wait.
        return max(0.0, min(patience, call.deadline - asyncio.get_running_loop().time()))

    async def _limited(
        self, limiter: Limiter, keys: Keys | None, request: Request, call: Call
    ) -> AsyncGenerator[Chunk, None]:
        provider = call.provider
        expected = expected_tokens(request)
        await limiter.acquire(
            expected,
            max_wait=self._patience(call),
            provider=provider,
            waits=lambda seconds, what: _tell(call, seconds, what),
            pause=self._pause_of(provider),
        )
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
            if keys is not None:
                keys.settle(request, used)
            if keys is None and self._told is not None and (headers := self._told(provider)):
                limiter.learn(headers)
            await source.aclose()


def _tell(call: Call, seconds: float, what: str) -> None:
    """Tell the hooks that a call waits for its turn: nothing has failed, and its answer is no lesser one."""
    told: dict[str, JsonValue] = {"for": "limit", "seconds": seconds, "limit": what, "provider": call.provider}
    call.recorder.tell("llm.wait", told)


def _out_of_keys(provider: str, wait: float) -> RateLimitError:
    return _unsent(
        f"The limit of the provider {provider!r} is reached",
        f"By what is set and what it told, the next request can go out in {wait:.1f} s",
        "Send less at once, add another key or provider, or raise `llm.limit_wait`",
        provider,
        wait,
    )


def _unsent(what: str, why: str, fix: str, provider: str, wait: float) -> RateLimitError:
    error = RateLimitError(what, why=f"{why}. Nothing was sent", fix=fix, provider=provider, retry_after=wait)
    error.nothing_sent = True
    return error
