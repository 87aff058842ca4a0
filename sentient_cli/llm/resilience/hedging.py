"""Asks a second time when an answer is late to begin, and takes whichever begins first."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from sentient_cli.clock import Clock
from sentient_cli.llm.call import Call
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.opening import Opened, Opening
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.types import Usage

__all__ = ["HedgePolicy", "Hedging", "Latencies"]

_REMEMBERED: Final = 1000
"""Calls that second requests are a share of, about: a long quick time is no leave to double the load of a slow one."""


class HedgePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a second request is sent.

    Args:
        after: Seconds without an answer; None: what 95 of 100 answers took to begin, once ``learn`` are known.
        learn: How many have to be known.
        share: Second requests for each call of late, at most.

    Example:
        >>> HedgePolicy(after=1.5).share
        0.1
    """

    after: Annotated[float, Meta(gt=0)] | None = None
    learn: Annotated[int, Meta(ge=5)] = 20
    share: Annotated[float, Meta(gt=0, le=1)] = 0.1

    def __post_init__(self) -> None:
        check_fields(self)


class Latencies:
    """How long the last answers of a model took to begin.

    Example:
        >>> latencies = Latencies()
        >>> for milliseconds in range(1, 101):
        ...     latencies.add(milliseconds / 1000)
        >>> latencies.late()
        0.095
    """

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: deque[float] = deque(maxlen=200)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, seconds: float) -> None:
        """Take the next one."""
        self._all.append(seconds)

    def late(self) -> float:
        """What 95 of 100 took at most."""
        ordered = sorted(self._all)
        return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]


class _Runner:
    """One of the two, until its answer begins."""

    __slots__ = ("call", "task")

    def __init__(self, inner: Opening, request: Request, call: Call) -> None:
        self.call = call
        self.task: asyncio.Task[Opened] = asyncio.create_task(inner.open(request, call))

    def used(self, request: Request) -> Usage | None:
        """What it took, once it has ended; None: nothing, or its failure is counted already."""
        has_begun = not self.task.cancelled() and self.task.exception() is None
        return wasted_usage(request, None) if has_begun else self.call.used

    async def close(self) -> None:
        """Close what it may have."""
        if self.task.done() and not self.task.cancelled() and self.task.exception() is None:
            await self.task.result().close()


def _count(runners: list[_Runner], request: Request, call: Call) -> None:
    """Count what those took that nobody waits for any more: the first as the call's own, the other as wasted."""
    taken = [used for runner in runners if (used := runner.used(request)) is not None]
    if taken:
        call.used = taken[0]
    for usage in taken[1:]:
        call.waste(usage)


async def _end(runners: list[_Runner]) -> None:
    if not runners:
        return
    for runner in runners:
        runner.task.cancel()
    try:
        await asyncio.wait([runner.task for runner in runners])
    finally:
        for runner in runners:
            await runner.close()


class Hedging:
    """Hedges the calls to one provider.

    Args:
        inner: Asks.
        policy: When.
        clock: Waits.
    """

    __slots__ = ("_calls", "_clock", "_hedged", "_inner", "_latencies", "_policy")

    def __init__(self, inner: Opening, policy: HedgePolicy, clock: Clock) -> None:
        self._inner = inner
        self._policy = policy
        self._clock = clock
        self._latencies: dict[str, Latencies] = {}
        self._calls = 0
        self._hedged = 0

    async def open(self, request: Request, call: Call) -> Opened:
        """Ask until an answer begins, perhaps twice at once.

        Raises:
            ProviderError: both failed.
        """
        self._calls += 1
        if self._calls > _REMEMBERED:
            self._calls, self._hedged = self._calls // 2, self._hedged // 2
        latencies, began = self._of(request.model), self._clock.now_ns()
        runners = [_Runner(self._inner, request, call.branch())]
        try:
            delay = self._delay(latencies)
            if delay is not None and not await self._in_time(runners[0], delay):
                self._hedged += 1
                twin = msgspec.structs.replace(request, call=f"{request.call}-h" if request.call else "")
                runners.append(_Runner(self._inner, twin, call.branch()))
            winner = await _first_of(runners)
            losers = [runner for runner in runners if runner is not winner]
            await _end(losers)
            for usage in [used for loser in losers if (used := loser.used(request)) is not None]:
                call.waste(usage)
            answer = winner.task.result()
        except BaseException:
            await _end(runners)
            _count(runners, request, call)
            raise
        latencies.add((self._clock.now_ns() - began) / 1e9)
        call.adopt(winner.call)
        return answer

    def _of(self, model: str) -> Latencies:
        latencies = self._latencies.get(model)
        if latencies is None:
            if len(self._latencies) > 1000:  # noqa: PLR2004 - the names of models come from outside
                self._latencies.clear()
            latencies = self._latencies[model] = Latencies()
        return latencies

    def _delay(self, latencies: Latencies) -> float | None:
        policy = self._policy
        if self._hedged + 1 > max(1.0, policy.share * self._calls):
            return None
        if policy.after is not None:
            return policy.after
        return latencies.late() if len(latencies) >= policy.learn else None

    async def _in_time(self, runner: _Runner, seconds: float) -> bool:
        timer = asyncio.create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait((runner.task, timer), return_when=asyncio.FIRST_COMPLETED)
            return runner.task.done()
        finally:
            timer.cancel()
            await asyncio.gather(timer, return_exceptions=True)


async def _first_of(runners: list[_Runner]) -> _Runner:
    """The first that has something; the first of all if none has."""
    waiting = {runner.task: runner for runner in runners}
    while waiting:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            runner = waiting.pop(task)
            if task.exception() is None:
                return runner
    return runners[0]
