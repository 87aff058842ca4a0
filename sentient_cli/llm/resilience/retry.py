"""The one place that retries: when, how often, and how much of it altogether."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from sentient_cli.clock import Clock
from sentient_cli.errors import ProviderError, RateLimitError
from sentient_cli.llm.call import Call
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.hooks import failure_as_json
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.opening import Opened, Opening
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.closing import slept

__all__ = ["RetryBudget", "RetryContext", "RetryPolicy", "RetryStrategy", "Retrying"]


class RetryContext(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know when an attempt has failed before anything of its answer was seen.

    Args:
        error: Why it failed.
        attempt: How many attempts this model has had in this call, from 1.
        provider: The id of the provider.
        model: The model, as the provider names it.
        elapsed: Seconds since the first of these attempts began.
        remaining: Seconds that the call has left; None: as many as it likes.
        alternatives: How many other models can be asked instead.
        is_last_left: Whether there were others, which have failed or rest.
        draw: A random number, from 0 to below 1.

    Example:
        >>> from sentient_cli.errors import ServerError
        >>> RetryContext(error=ServerError("Down"), attempt=2, provider="openai").alternatives
        0
    """

    error: ProviderError
    attempt: int
    provider: str = ""
    model: str = ""
    elapsed: float = 0.0
    remaining: float | None = None
    alternatives: int = 0
    is_last_left: bool = False
    draw: float = 0.0


class RetryStrategy(Protocol):
    """Decides about retries; each provider may have its own.

    Example:
        >>> class Patient:
        ...     attempts = 5
        ...     def wait(self, context: RetryContext) -> float | None:
        ...         return float(context.attempt) if context.error.retryable else None
        >>> from sentient_cli.errors import BadRequestError, ServerError
        >>> strategy: RetryStrategy = Patient()
        >>> [strategy.wait(RetryContext(error=error("No"), attempt=2)) for error in (ServerError, BadRequestError)]
        [2.0, None]
    """

    @property
    def attempts(self) -> int:
        """How many attempts there are at most, from 1."""
        ...

    def wait(self, context: RetryContext) -> float | None:
        """Seconds to wait before the next attempt; None: there is none."""
        ...


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Waits longer each time, at random within that, and at least as long as the provider asks for.

    Args:
        attempts: How many attempts there are at most; 1: nothing is tried again.
        base: Seconds within which the first retry comes.
        cap: Seconds within which any comes.
        strategy: ``exponential``: twice as long each time; ``linear``: longer by ``base``; ``constant``: the same.
        jitter: ``full``: at any moment from now to then; ``none``: just then.
        longest: Seconds that a provider may ask us to wait; when it asks for more, the call fails.
        patience: The same when another model can be asked instead.
        extra: So many more for the last model that is left of several, since nothing comes after it.

    Example:
        >>> from sentient_cli.errors import RateLimitError, ServerError
        >>> policy = RetryPolicy(base=1.0)
        >>> [policy.wait(RetryContext(error=ServerError("No"), attempt=n, draw=0.5)) for n in (1, 2, 3)]
        [0.5, 1.0, None]
        >>> policy.wait(RetryContext(error=RateLimitError("Wait", retry_after=7.0), attempt=1))
        7.0
    """

    attempts: Annotated[int, Meta(ge=1, le=20)] = 3
    base: Annotated[float, Meta(ge=0)] = 0.5
    cap: Annotated[float, Meta(ge=0)] = 8.0
    strategy: Literal["exponential", "linear", "constant"] = "exponential"
    jitter: Literal["full", "none"] = "full"
    longest: Annotated[float, Meta(ge=0)] = 30.0
    patience: Annotated[float, Meta(ge=0)] = 2.0
    extra: Annotated[int, Meta(ge=0, le=20)] = 1

    def __post_init__(self) -> None:
        check_fields(self)

    def wait(self, context: RetryContext) -> float | None:
        """Seconds to wait; None: another attempt does not help, comes too late, or was the last."""
        error = context.error
        if not error.retryable or context.attempt >= self.most(is_last_left=context.is_last_left):
            return None
        share = context.draw if self.jitter == "full" else 1.0
        if error.retry_after is not None:
            wait = error.retry_after + context.draw * min(self.base, error.retry_after)
        else:
            wait = share * min(self.cap, self.base * self._growth(context.attempt))
        if (error.retry_after or 0.0) > (self.patience if context.alternatives else self.longest):
            return None
        return None if context.remaining is not None and wait >= context.remaining else wait

    def most(self, *, is_last_left: bool) -> int:
        """How many attempts a model has at most.

        Args:
            is_last_left: Whether there were others, which have failed or rest.

        Example:
            >>> [RetryPolicy(attempts=count).most(is_last_left=True) for count in (1, 3)]
            [1, 4]
        """
        return self.attempts + self.extra if is_last_left and self.attempts > 1 else self.attempts

    def _growth(self, attempt: int) -> int:
        if self.strategy == "exponential":
            return 1 << (attempt - 1)
        return attempt if self.strategy == "linear" else 1


class _Traffic:
    """Of one provider, in this window and with the one before."""

    __slots__ = ("all_calls", "all_retries", "calls", "retries")

    def __init__(self) -> None:
        self.calls = self.all_calls = 0
        self.retries = self.all_retries = 0


class RetryBudget:
    """Retries that fail are a share of the traffic to a provider, so that they cannot become a storm.

    One that went well is given back: faults here and there are what retries are for, however many there are.

    Args:
        share: Retries that fail for each call, at most.
        floor: So many that there may be even when there are few calls.
        window: Seconds over which both are counted, about.

    Example:
        >>> budget = RetryBudget(share=0.1, floor=1)
        >>> for _ in range(20):
        ...     _ = budget.count("openai", now=0.0)
        >>> [budget.take("openai", now=0.0) for _ in range(3)]
        [True, True, False]
        >>> budget.give_back("openai")
        >>> budget.take("openai", now=0.0)
        True
    """

    def __init__(self, share: float = 0.1, floor: int = 10, window: float = 60.0) -> None:
        self.share = share
        self.floor = floor
        self._window = window
        self._began = 0.0
        self._traffic: dict[str, _Traffic] = {}

    def count(self, provider: str, now: float) -> bool:
        """Count a call, and say whether it may be retried."""
        if now - self._began >= self._window:
            self._roll(now)
        traffic = self._traffic.get(provider) or self._new(provider)
        traffic.calls += 1
        traffic.all_calls += 1
        following = traffic.all_retries + 1
        return following <= self.floor or following <= self.share * traffic.all_calls

    def has_left(self, provider: str, now: float) -> bool:
        """Whether there may be another retry."""
        if now - self._began >= self._window:
            self._roll(now)
        traffic = self._traffic.get(provider) or self._new(provider)
        return traffic.all_retries + 1 <= max(self.floor, self.share * traffic.all_calls)

    def take(self, provider: str, now: float) -> bool:
        """Take one, if there is one."""
        if not self.has_left(provider, now):
            return False
        traffic = self._traffic[provider]
        traffic.retries += 1
        traffic.all_retries += 1
        return True

    def give_back(self, provider: str) -> None:
        """Give one back that went well; more than were taken of late are not."""
        traffic = self._traffic.get(provider)
        if traffic is not None and traffic.retries:
            traffic.retries -= 1
            traffic.all_retries -= 1

    def _new(self, provider: str) -> _Traffic:
        traffic = self._traffic[provider] = _Traffic()
        return traffic

    def _roll(self, now: float) -> None:
        is_next = now - self._began < 2 * self._window
        for traffic in self._traffic.values():
            traffic.all_calls = traffic.calls if is_next else 0
            traffic.all_retries = traffic.retries if is_next else 0
            traffic.calls = traffic.retries = 0
        self._began = now


class Retrying:
    """Asks again when an attempt failed of which nothing was seen.

    Args:
        inner: Makes one attempt.
        provider: Who is asked; one that tells when it is closed (``until_closed``) is not waited for then.
        strategy: Decides.
        budget: Bounds all retries.
        clock: Waits.
        draw: Gives random numbers, from 0 to below 1.
    """

    __slots__ = ("_budget", "_clock", "_closed", "_draw", "_inner", "_provider", "_strategy")

    def __init__(
        self,
        inner: Opening,
        provider: LLMProvider,
        strategy: RetryStrategy,
        budget: RetryBudget,
        clock: Clock,
        draw: Callable[[], float],
    ) -> None:
        self._inner = inner
        self._closed: Callable[[], Awaitable[None]] | None = getattr(provider, "until_closed", None)
        self._provider = provider.provider_id
        self._strategy = strategy
        self._budget = budget
        self._clock = clock
        self._draw = draw

    async def open(self, request: Request, call: Call) -> Opened:
        """Ask until an answer begins.

        Raises:
            ProviderError: the last attempt failed.
        """
        provider, budget = self._provider, self._budget
        began = self._clock.now_ns() / 1e9
        if call.counted == provider:  # who comes again for the rest of an answer is no new call
            has_left = budget.has_left(provider, began)
        else:
            call.counted = provider
            has_left = budget.count(provider, began)
        attempt = 0
        while True:
            attempt += 1
            if not call.alternatives:
                call.is_final = attempt >= self._most(call) or not has_left
            try:
                answer = await self._inner.open(request, call)
            except ProviderError as error:
                failure = error
            else:
                if attempt > 1:
                    budget.give_back(provider)
                return answer
            has_left = budget.has_left(provider, self._now())
            await self._wait(failure, self._context(failure, attempt, request, call, began), call)

    async def _wait(self, error: ProviderError, context: RetryContext, call: Call) -> None:
        # Who waited for its turn already, as long as it may, does not begin to wait anew.
        is_turn = isinstance(error, RateLimitError) and error.nothing_sent
        wait = None if is_turn else self._strategy.wait(context)
        if wait is None or not self._budget.take(self._provider, self._now()):
            raise error
        told: dict[str, JsonValue] = {
            "provider": context.provider,
            "model": context.model,
            "after": wait,
            "error": failure_as_json(error),
        }
        call.recorder.tell("llm.retry", told)
        if not await self._slept(wait):
            raise error

    async def _slept(self, seconds: float) -> bool:
        """Wait; whether the provider can be asked then."""
        if self._closed is None:
            await self._clock.sleep(seconds)
            return True
        return await slept(self._clock, seconds, self._closed())

    def _most(self, call: Call) -> int:
        strategy = self._strategy
        return strategy.most(is_last_left=call.is_last_left) if isinstance(strategy, RetryPolicy) else strategy.attempts

    def _now(self) -> float:
        return self._clock.now_ns() / 1e9

    def _context(self, error: ProviderError, attempt: int, request: Request, call: Call, began: float) -> RetryContext:
        deadline = call.deadline
        return RetryContext(
            error=error,
            attempt=attempt,
            provider=self._provider,
            model=request.model,
            elapsed=self._now() - began,
            remaining=None if deadline is None else deadline - asyncio.get_running_loop().time(),
            alternatives=call.alternatives,
            is_last_left=call.is_last_left,
            draw=self._draw(),
        )
