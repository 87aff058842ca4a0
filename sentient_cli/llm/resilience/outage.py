"""What a call gets when every model that could answer is limited or down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from sentient_cli.clock import Clock
from sentient_cli.errors import (
    BudgetExceededError,
    CircuitOpenError,
    OutputError,
    ProviderError,
    QuotaError,
)
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.hooks import failure_as_json
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.cache import AnswerCache, KeptAnswer, found, is_worth, keep
from sentient_cli.llm.resilience.keys import key_of
from sentient_cli.llm.types import Chunk, JsonValue, Usage
from sentient_cli.llm.wire.closing import Closing, slept

__all__ = ["Outage", "OutagePolicy"]

CANNED: Final = "canned"
"""The provider of an answer that nobody gave."""
_MOST_WAITING: Final = 1000
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 8.0
_SPREAD: Final = 0.25
_WHY: Final = "No model could answer: they are limited or down"


class OutagePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is done when every model that could answer is limited or down, and nothing of an answer was seen.

    The first of these that helps: to wait, an earlier answer, a text. All are marked as degraded.

    Args:
        wait: Seconds that a call waits, in all, for one of them to come back.
        cached: Where answers are kept for that, older ones than the cache has; None: nowhere.
        answer: A text; empty: there is none. A call that asks for a form of answer does not get it.

    Example:
        >>> OutagePolicy(answer="I am back in a minute.").wait
        0.0
    """

    wait: Annotated[float, Meta(ge=0)] = 0.0
    cached: AnswerCache | None = None
    answer: str = ""


class Outage:
    """Answers as another does, and when nobody does, as the policy says.

    Args:
        inner: Asks the models, each that could answer.
        policy: What is done; None: nothing. May be replaced.
        clock: Waits.
        draw: Gives random numbers, from 0 to below 1, so that those who waited do not all come back at once.
        closing: Ends all waits: nobody is asked any more.
    """

    __slots__ = ("_clock", "_closing", "_draw", "_inner", "_waiting", "policy")

    def __init__(
        self,
        inner: Answering,
        policy: OutagePolicy | None,
        clock: Clock,
        draw: Callable[[], float],
        closing: Closing,
    ) -> None:
        self._closing = closing
        self._inner = inner
        self.policy: OutagePolicy | None = policy
        self._clock = clock
        self._draw = draw
        self._waiting = 0

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece.

        Raises:
            ProviderError: nobody did, and nothing else helped.
        """
        policy = self.policy
        return self._inner.stream(request, call) if policy is None else self._stream(policy, request, call)

    async def _stream(self, policy: OutagePolicy, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        waited, tries, has_begun = 0.0, 0, False
        chunks: list[Chunk] = []
        while True:
            try:
                async with aclosing(self._inner.stream(request, call)) as source:
                    async for chunk in source:
                        has_begun = True
                        if policy.cached is not None:
                            chunks.append(chunk)
                        yield chunk
                break
            except ProviderError as error:
                if has_begun or not _is_outage(error):
                    raise
                wait = self._wait(policy.wait - waited, error, tries, call)
                if wait is not None:
                    told: dict[str, JsonValue] = {"for": "outage", "seconds": wait, "error": failure_as_json(error)}
                    call.recorder.tell("llm.wait", told)
                    await self._sleep(wait, error)
                    waited, tries = waited + wait, tries + 1
                    call.degraded = f"{_WHY} at once, and this one was waited for"
                    continue
                kept = await self._kept(policy, request, call)
                if kept is None and not _fits(policy, request):
                    raise
                _tell(call, "cached" if kept is not None else CANNED, error)
            for chunk in _given(kept, policy, call):
                yield chunk
            return
        if policy.cached is not None and is_worth(chunks, call) and call.options.cache is not False:
            await keep(policy.cached, key_of(request, call), KeptAnswer.of(call, chunks), call)

    def _wait(self, left: float, error: ProviderError, tries: int, call: Call) -> float | None:
        """Seconds until it makes sense to ask again; None: it does not within the time that is left."""
        if isinstance(error, BudgetExceededError | QuotaError) or self._waiting >= _MOST_WAITING:
            return None
        told = error.retry_after or min(_FIRST_WAIT * 2**tries, _LONGEST_WAIT)
        if call.deadline is not None:
            left = min(left, call.deadline - asyncio.get_running_loop().time())
        return None if told > left else min(left, told * (1 + _SPREAD * self._draw()))

    async def _sleep(self, seconds: float, error: ProviderError) -> None:
        """Wait; raise the error when nobody can be asked then."""
        self._waiting += 1
        try:
            if not await slept(self._clock, seconds, self._closing.wait()):
                raise error
        finally:
            self._waiting -= 1

    @staticmethod
    async def _kept(policy: OutagePolicy, request: Request, call: Call) -> KeptAnswer | None:
        if policy.cached is None or call.options.cache is False:
            return None
        return await found(policy.cached, key_of(request, call), call)


def _is_outage(error: ProviderError) -> bool:
    # An answer that does not fit, a wrong request or key: those are there, and have to be seen.
    if isinstance(error, OutputError):
        return False
    return error.retryable or isinstance(error, CircuitOpenError | QuotaError | BudgetExceededError)


def _fits(policy: OutagePolicy, request: Request) -> bool:
    is_text = request.output is None and request.parameters.tool_choice in {None, "auto", "none"}
    return bool(policy.answer) and is_text


def _given(kept: KeptAnswer | None, policy: OutagePolicy, call: Call) -> tuple[Chunk, ...]:
    if kept is None:
        call.degraded = f"{_WHY}. This text is given in the place of an answer"
        call.provider, call.model, call.cost = CANNED, "answer", call.wasted_cost
        return (Chunk(policy.answer), Chunk(usage=Usage(input=0, output=0), finish_reason="stop"))
    call.degraded = f"{_WHY}. This is an earlier answer to the same question"
    wasted = call.wasted_cost
    chunks = tuple(kept.give(call))
    call.cost = wasted  # what was tried before is paid for
    return chunks


def _tell(call: Call, to: str, error: ProviderError) -> None:
    before = f"{call.provider}:{call.model}"
    call.recorder.tell("llm.failover", {"from": before, "to": to, "error": failure_as_json(error)})
