"""What is sent stays within limits, set or learned; a call waits its turn or goes elsewhere, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import (
    CircuitOpenError,
    CredentialNotFoundError,
    PoolExhaustedError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm import Chunk, LLMManager, OfflineProvider, RateLimits, Request, Usage
from sentient_cli.llm.call import Call
from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.limits.bucket import Bucket
from sentient_cli.llm.limits.headers import Told, read_limits
from sentient_cli.llm.limits.limiter import Limited, Limiter
from sentient_cli.llm.limits.shares import Shares
from sentient_cli.testing import FixedClock
from tests.llm.parts import Records, StepClock
from tests.llm.usage.usage_kit import Answers, a_call, a_request

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "requests", "tokens"),
    [
        ({}, Told(), Told()),
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            Told(60, 59, 1),
            Told(150000, 149984, 360),
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": (NOW + timedelta(seconds=30)).isoformat(),
                "anthropic-ratelimit-input-tokens-limit": "40000",
                "anthropic-ratelimit-input-tokens-remaining": "39000",
            },
            Told(50, 0, 30),
            Told(40000, 39000, None),
        ),
        ({"x-ratelimit-limit-requests": "1", "x-ratelimit-reset-requests": "20ms"}, Told(1, None, 0.02), Told()),
        ({"x-ratelimit-limit-requests": "1", "x-ratelimit-reset-requests": "7"}, Told(1, None, 7), Told()),
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-tokens": "-3"}, Told(), Told()),
        ({"x-ratelimit-limit-requests": "inf", "x-ratelimit-limit-tokens": "nan"}, Told(), Told()),
        ({"anthropic-ratelimit-tokens-limit": "5", "anthropic-ratelimit-tokens-reset": "soon"}, Told(), Told(5)),
    ],
)
def test_headers(headers: Mapping[str, str], requests: Told, tokens: Told) -> None:
    assert read_limits(headers, NOW.timestamp()) == (requests, tokens)


@given(st.dictionaries(st.sampled_from(["x-ratelimit-limit-requests", "x-ratelimit-reset-tokens"]), st.text()))
def test_no_header_is_too_odd(headers: dict[str, str]) -> None:
    read_limits(headers, 0.0)


@given(st.floats(1, 1000), st.lists(st.tuples(st.floats(0, 5), st.floats(0, 50)), max_size=60))
def test_a_bucket_never_gives_more_than_a_minute_and_its_fill(
    per_minute: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now, taken = Bucket(per_minute), 0.0, 0.0
    for seconds, count in steps:
        now += seconds
        wanted = min(count, per_minute)
        if bucket.wait(wanted, now) == 0.0:
            bucket.take(wanted, now)
            taken += wanted
    assert taken <= per_minute * (1 + now / 60) * (1 + 1e-6) + 1e-6


def test_calls_wait_their_turn_and_start_in_order() -> None:
    clock = FixedClock()
    limiter = Limiter(RateLimits(requests_per_minute=2), clock=clock)
    began = clock.now_ns()

    async def main() -> list[float]:
        return [await limiter.acquire(1, max_wait=100) for _ in range(4)]

    assert asyncio.run(main()) == [0.0, 0.0, 30.0, 30.0]
    assert clock.now_ns() - began == 60 * 10**9


def test_tokens_count_as_well_and_what_was_not_used_is_given_back() -> None:
    clock = FixedClock()
    limiter = Limiter(RateLimits(tokens_per_minute=600), clock=clock)

    async def main() -> None:
        assert await limiter.acquire(600) == 0.0
        with pytest.raises(RateLimitError) as caught:
            await limiter.acquire(300, max_wait=10)
        assert caught.value.retry_after == pytest.approx(30.0)
        assert "The limit of tokens" in caught.value.what
        limiter.settle(600, 100)
        assert await limiter.acquire(500) == 0.0
        limiter.settle(500, 560)
        assert await limiter.acquire(1, max_wait=100) == pytest.approx(6.1)
        assert await limiter.acquire(10_000, max_wait=100) > 0.0  # more than a minute's: it waits for a full one

    asyncio.run(main())


def test_who_leaves_the_queue_leaves_it_to_the_others() -> None:
    class Stands(FixedClock):
        async def sleep(self, seconds: float) -> None:
            del seconds
            await asyncio.Event().wait()

    limiter = Limiter(RateLimits(requests_per_minute=1), clock=Stands())

    async def main() -> None:
        await limiter.acquire(1)
        waiting = asyncio.create_task(limiter.acquire(1, max_wait=100))
        await asyncio.sleep(0)
        assert limiter.requests.level == -1.0
        waiting.cancel()
        await asyncio.wait([waiting])
        assert limiter.requests.level == 0.0

    asyncio.run(main())


def test_what_a_provider_tells_is_learned_once() -> None:
    clock = FixedClock()
    limiter = Limiter(clock=clock)
    told = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "30s",
    }

    async def main() -> None:
        assert await limiter.acquire(1) == 0.0  # nothing is known
        limiter.learn(told)
        with pytest.raises(RateLimitError) as caught:
            await limiter.acquire(1)
        assert caught.value.retry_after == pytest.approx(30.0)
        clock.advance(40)
        limiter.learn(told)  # the same headers: they are old
        assert await limiter.acquire(1) == 0.0
        limiter.learn({"x-ratelimit-limit-requests": "120"})
        assert limiter.requests.per_minute == 120

    asyncio.run(main())


async def _read(limited: Limited, call: Call, request: Request | None = None) -> None:
    async with aclosing(limited.stream(request or a_request(), call)) as chunks:
        async for _ in chunks:
            pass


def test_with_somebody_else_a_call_goes_there_at_once() -> None:
    limiter = Limiter(RateLimits(requests_per_minute=60), clock=FixedClock())
    inner = Answers(Chunk(usage=Usage(input=1, output=1)), Chunk(finish_reason="stop"))
    limited = Limited(inner, {"shop": limiter}.get)
    call = a_call()

    async def main() -> None:
        for _ in range(60):
            await _read(limited, call)
        call.alternatives = 1
        with pytest.raises(RateLimitError) as caught:
            await _read(limited, call)
        assert (caught.value.provider, len(inner.requests)) == ("shop", 60)
        call.alternatives = 0
        await _read(limited, call)
        await _read(limited, a_call("elsewhere"))

    asyncio.run(main())
    assert inner.closed == 62


def test_waiting_for_a_turn_is_no_failure() -> None:
    clock, hook = FixedClock(), Records()
    limiter = Limiter(RateLimits(requests_per_minute=12), clock=clock)
    limiter.requests.level = 0
    manager = LLMManager(
        [OfflineProvider()],
        default_model="offline:echo",
        clock=clock,
        hooks=[hook],
        around_attempts=[lambda inner: Limited(inner, lambda _: limiter)],
    )
    answer = asyncio.run(manager.generate("Hi"))
    assert (answer.attempts, answer.degraded, answer.notices) == (1, "", ())
    (told,) = [record.data for record in hook.records if record.kind == "llm.wait"]
    seconds = told.pop("seconds")
    assert told == {"for": "limit", "limit": "requests", "provider": "offline"}
    assert seconds == pytest.approx(5)
    assert not {"llm.retry", "llm.failover"} & set(hook.kinds)


def test_who_would_wait_too_long_for_a_turn_is_not_tried_again() -> None:
    clock, hook = StepClock(), Records()
    limiter = Limiter(RateLimits(requests_per_minute=5), clock=clock)
    limiter.requests.level = 0
    manager = LLMManager(
        [OfflineProvider()],
        default_model="offline:echo",
        clock=clock,
        hooks=[hook],
        around_attempts=[lambda inner: Limited(inner, lambda _: limiter)],
    )
    with pytest.raises(RateLimitError) as caught:  # twelve seconds, two more than anybody waits for a turn
        asyncio.run(manager.generate("Hi"))
    assert (caught.value.nothing_sent, clock.slept) == (True, [])
    assert "llm.retry" not in hook.kinds
    assert not RateLimitError("Slower").nothing_sent


def test_headers_are_learned_from_after_each_call() -> None:
    limiter = Limiter(clock=FixedClock())
    limited = Limited(Answers(), lambda provider: limiter, told=lambda name: {"x-ratelimit-limit-requests": "3"})
    asyncio.run(_read(limited, a_call()))
    assert limiter.requests.per_minute == 3


class _Fails:
    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        del request, call
        yield Chunk("Hal")
        raise RateLimitError("Slower")


def test_a_call_that_fails_keeps_what_it_took() -> None:
    limiter = Limiter(RateLimits(tokens_per_minute=1000), clock=FixedClock())
    with pytest.raises(RateLimitError, match="Slower"):
        asyncio.run(_read(Limited(_Fails(), lambda provider: limiter), a_call()))
    assert limiter.tokens.level < 1000


def test_a_call_does_not_wait_for_longer_than_it_has_time() -> None:
    clock = FixedClock()
    limiter = Limiter(RateLimits(requests_per_minute=12), clock=clock)
    limiter.requests.level = 0
    inner = Answers()

    async def main() -> None:
        call = a_call()
        call.deadline = asyncio.get_running_loop().time() + 2
        async with aclosing(Limited(inner, lambda _: limiter).stream(a_request(), call)) as chunks:
            with pytest.raises(RateLimitError) as caught:  # five seconds, at once
                await anext(chunks)
        assert caught.value.retry_after == pytest.approx(5)
        assert limiter.requests.level == 0

    asyncio.run(main())
    assert inner.requests == []


class _BreaksOff:
    """Fails, maybe after a piece."""

    def __init__(self, error: Exception, *chunks: Chunk) -> None:
        self.error = error
        self.chunks = chunks

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        for chunk in self.chunks:
            yield chunk
        raise self.error


@pytest.mark.parametrize(
    ("inner", "left"),
    [
        (_BreaksOff(CircuitOpenError("It rests")), 60),
        (_BreaksOff(CredentialNotFoundError("No key")), 60),
        (_BreaksOff(PoolExhaustedError("No room")), 60),
        (_BreaksOff(CircuitOpenError("It rests"), Chunk("Hi")), 59),
        (_BreaksOff(ServerError("Down")), 59),
    ],
)
def test_what_was_never_sent_is_given_back(inner: _BreaksOff, left: int) -> None:
    limiter = Limiter(RateLimits(requests_per_minute=60, tokens_per_minute=1000), clock=FixedClock())

    async def main() -> None:
        async with aclosing(Limited(inner, lambda _: limiter).stream(a_request(), a_call())) as chunks:
            with pytest.raises(type(inner.error)):
                async for _ in chunks:
                    pass

    asyncio.run(main())
    assert limiter.requests.level == left
    assert (limiter.tokens.level == 1000) is (left == 60)


class _Waits:
    """Keys that have something left after so many seconds each time."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = [*seconds]

    def wait(self, request: Request) -> float:
        return self.seconds.pop(0) if self.seconds else 0.0

    def settle(self, request: Request, used: int | None) -> None:
        pass


@pytest.mark.parametrize("limiter", [None, Limiter(RateLimits(requests_per_minute=60), clock=FixedClock())])
def test_a_call_waits_until_a_key_has_something_left(limiter: Limiter | None) -> None:
    clock, inner = FixedClock(), Answers()
    began = clock.now_ns()
    keys = _Waits(3.0, 3.0, 2.0)  # asked before anything is waited for, and whenever that is over
    limited = Limited(inner, lambda _: limiter, keys_of=lambda _: keys, clock=clock)
    hook = Records()
    call = a_call()
    call.recorder = Recorder([hook], clock, "1")
    asyncio.run(_read(limited, call))
    assert [(told.data["limit"], told.data["seconds"]) for told in hook.records] == [("keys", 3.0), ("keys", 2.0)]
    assert clock.now_ns() - began == 5 * 10**9
    assert (len(inner.requests), inner.closed) == (1, 1)


@pytest.mark.parametrize("alternatives", [0, 1])
def test_who_would_wait_too_long_for_a_key_goes_elsewhere(alternatives: int) -> None:
    clock, inner = FixedClock(), Answers()
    waits = 1.0 if alternatives else 11.0
    limited = Limited(inner, keys_of=lambda _: _Waits(waits, waits), clock=clock)
    call = a_call()
    call.alternatives = alternatives
    with pytest.raises(RateLimitError, match="Nothing was sent") as caught:
        asyncio.run(_read(limited, call))
    assert (caught.value.retry_after, caught.value.provider, inner.requests) == (waits, "shop", [])


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 9), st.integers(0, 40)), max_size=40))
def test_shares_never_send_more_than_was_told(calls: list[tuple[str, int, int]]) -> None:
    """What a provider says is left of one key is kept to, whatever the other has."""
    shares, now, left = Shares(), 0.0, {"a": 0, "b": 0}
    headers = {"x-ratelimit-limit-requests": "10", "x-ratelimit-reset-requests": "1000s"}
    request = a_request()
    for key, remaining, seconds in calls:
        shares.told(key, request, {**headers, "x-ratelimit-remaining-requests": str(remaining)}, now)
        left[key] = remaining
        sent = 0
        while shares.wait(key, request, now) == 0.0:
            shares.take(key, request, now)
            sent += 1
        assert sent <= left[key]
        now += seconds
