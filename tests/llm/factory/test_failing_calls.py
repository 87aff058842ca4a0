"""What is done about calls that fail, as settings and policies have it, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from sentient_cli.errors import (
    BadRequestError,
    CircuitOpenError,
    ContentFilterError,
    ProviderConnectionError,
    ProviderTimeoutError,
    SentientError,
    ServerError,
)
from sentient_cli.llm import Message
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.resilience.policies import ProviderPolicies
from sentient_cli.llm.resilience.retry import RetryContext
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import DOWN, Records, Waits, configured, pair, refusal, table
from tests.llm.providers import anthropic_wire
from tests.support.llm_server import Answer, LLMServer, Received, as_json

WELL = chat_answer("Hello")
ALONE = {"model": "one:large", "groups": dict[str, list[str]]()}


@pytest.mark.story("4.1", "4.2")
async def test_waits_double_to_the_cap_and_are_drawn_at_random() -> None:
    clock, hook = Waits(), Records()
    retry = {"attempts": 6, "base": 1, "cap": 4, "budget": 1}
    with LLMServer(DOWN) as one:
        told = pair(one, one, **ALONE, retry=retry, breaker={"failures": 1000})
        async with configured(told, hook, clock=clock) as manager:
            for _ in range(3):
                with pytest.raises(ServerError):
                    await manager.generate("Hello")
                clock.advance(120)  # what may be repeated in a minute is bounded
        assert len(one.requests) == 3 * 6
    assert len(set(clock.slept)) == 3 * 5
    for place, most in enumerate((1, 2, 4, 4, 4)):
        assert all(0 <= wait < most for wait in clock.slept[place::5])
    assert [told["after"] for told in hook.of("llm.retry")] == clock.slept


@pytest.mark.story("4.2")
async def test_an_attempt_and_a_call_have_their_time() -> None:
    stuck = Answer(WELL.body, cut=0, how="stall")
    with LLMServer(stuck, WELL) as one, LLMServer(stuck) as two:
        told = pair(one, two, **ALONE, retry={"attempts": 2, "base": 0})
        tables = told["providers"]
        assert isinstance(tables, dict)
        tables["one"]["attempt_timeout"] = 0.5
        async with configured(told) as manager:
            answer = await manager.generate("Hello")
            assert (answer.text, answer.attempts) == ("Hello", 2)
            with pytest.raises(ProviderTimeoutError):
                await manager.generate("Hello", model="two:small", options=CallOptions(timeout=0.1))
        await asyncio.to_thread(two.wait_open, 0)
        assert len(two.requests) == 1


BODY = b"".join(WELL.pieces())
SLOW = {
    "before its head": Answer(WELL.body, delay=60),
    "before its first byte": Answer(WELL.body, cut=0, how="stall"),
    "in its middle": Answer(WELL.body, cut=len(BODY) // 2, how="stall"),
    "byte by byte": Answer([bytes([byte]) for byte in BODY], pace=0.05),
}


@pytest.mark.story("4.2")
@pytest.mark.parametrize("slow", SLOW.values(), ids=list(SLOW))
async def test_the_deadline_of_the_settings_ends_whatever_goes_on(slow: Answer) -> None:
    with LLMServer(slow) as one, LLMServer(slow) as two:
        async with configured(pair(one, two, deadline=0.3)) as manager:
            with pytest.raises(ProviderTimeoutError) as caught:
                await manager.generate("Hello")
        await asyncio.gather(*(asyncio.to_thread(each.wait_open, 0) for each in (one, two)))
        assert (len(one.requests), len(two.requests)) == (1, 0)
    assert (caught.value.what, caught.value.provider) == ("The call took too long", "one")
    assert caught.value.partial_text in {"", "Hello"}


@pytest.mark.story("4.2")
async def test_the_deadline_holds_for_filters_that_ask_somebody_too() -> None:
    fine = as_json({"results": [{"flagged": False}]})
    with LLMServer(WELL) as one, LLMServer(Answer(fine.body, delay=60), fine, Answer(fine.body, delay=60)) as judge:
        told = pair(one, one, **ALONE, deadline=0.3, safety={"moderation": "judge", "when_down": "pass"})
        tables = told["providers"]
        assert isinstance(tables, dict)
        tables["judge"] = table(judge, "openai", "JUDGE_KEY")
        async with configured(told, keys=["JUDGE_KEY"]) as manager:
            for asked in (0, 1):  # of the question, and then of the answer
                with pytest.raises(ProviderTimeoutError) as caught:
                    await manager.generate("Hello")
                assert caught.value.why == "The filter 'moderation' was given no more time"
                assert (len(one.requests), caught.value.partial_text) == (asked, "")
        await asyncio.gather(*(asyncio.to_thread(each.wait_open, 0) for each in (one, judge)))


@pytest.mark.story("4.2", "E2.3")
async def test_the_deadline_holds_while_a_provider_counts() -> None:
    counting = as_json({"input_tokens": 5})

    def answer(received: Received) -> Answer:
        is_counted = received.path.endswith("count_tokens")
        return Answer(counting.body, delay=60) if is_counted else Answer(anthropic_wire.text_answer(["Hi"]))

    long = [Message.user("word " * 300) for _ in range(30)]
    with LLMServer(answer) as one:
        told = {
            "model": "one:claude-sonnet-5-5",
            "providers": {"one": {"kind": "anthropic", "base_url": one.url, "api_key_env": "ONE_KEY"}},
            "context": {"fit": "trim", "tokens": 4000, "count": "provider"},
            "usage": False,
        }
        async with configured(told, keys=["ONE_KEY"]) as manager:
            assert (await manager.generate("Hello")).text == "Hi"
            with pytest.raises(ProviderTimeoutError) as caught:
                await manager.generate(long, options=CallOptions(timeout=0.3))
        await asyncio.to_thread(one.wait_open, 0)
        assert [request.path.rsplit("/", 1)[-1] for request in one.requests] == ["messages", "count_tokens"]
    assert caught.value.why == "The conversation was not made to fit by then"


class Thrice:
    """Asks three times, whatever the error is."""

    attempts = 3

    def __init__(self) -> None:
        self.asked: list[RetryContext] = []

    def wait(self, context: RetryContext) -> float | None:
        self.asked.append(context)
        return 1.5 if context.attempt < self.attempts else None


@pytest.mark.story("4.2", "4.6")
async def test_a_provider_has_a_strategy_of_its_own_that_knows_all_there_is_to_know() -> None:
    clock, own = Waits(), Thrice()
    with LLMServer(refusal(404)) as one, LLMServer(DOWN) as two:
        async with configured(pair(one, two), clock=clock) as manager:
            manager.policies = msgspec.structs.replace(manager.policies, providers={"one": ProviderPolicies(retry=own)})
            with pytest.raises(ServerError):
                await manager.generate("Hello", options=CallOptions(timeout=60))
        assert (len(one.requests), len(two.requests), clock.slept) == (3, 1, [1.5, 1.5])
    assert [context.attempt for context in own.asked] == [1, 2, 3]
    assert [context.elapsed for context in own.asked] == [0, 1.5, 3]
    last = own.asked[-1]
    assert (last.provider, last.model, last.alternatives, last.error.code) == ("one", "large", 1, "model-not-found")
    assert last.remaining is not None
    assert 0 < last.remaining <= 60


@pytest.mark.story("4.4")
async def test_a_model_that_fails_rests_and_one_call_finds_out_whether_it_is_back() -> None:
    clock = Waits()
    with LLMServer(DOWN) as one:
        told = pair(one, one, **ALONE, breaker={"failures": 2, "seconds": 10})
        async with configured(told, clock=clock) as manager:
            for _ in range(2):
                with pytest.raises(ServerError):
                    await manager.generate("Hello")
            with pytest.raises(CircuitOpenError) as caught:
                await manager.generate("Hello")
            assert (caught.value.retry_after, len(one.requests)) == (10, 2)
            one.answer(WELL)
            assert (await manager.generate("Hello", model="one:other")).text == "Hello"
            assert manager.breakers.states() == {("one", "large"): "open", ("one", "other"): "closed"}
            clock.advance(10)
            one.answer(Answer(WELL.body, delay=0.05))
            calls = [manager.generate("Hello") for _ in range(5)]
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert sorted(type(each).__name__ for each in found) == ["CircuitOpenError"] * 4 + ["Completion"]
            assert len(one.requests) == 4
            assert manager.breakers.state("one", "large") == "closed"


async def _read(stream: AsyncIterator[str], into: list[str]) -> None:
    async for text in stream:
        into.append(text)  # noqa: PERF401 - it breaks off


@pytest.mark.story("4.4", "E4.1")
async def test_a_stream_counts_when_it_ends() -> None:
    broken = chat_answer("Hel", "lo", how="close")
    with LLMServer(Answer(broken.body, cut=150, how="close")) as one:
        told = pair(one, one, **ALONE, failover="fail", breaker={"failures": 2})
        async with configured(told, clock=Waits()) as manager:
            for _ in range(2):
                read: list[str] = []
                with pytest.raises(ProviderConnectionError) as caught:
                    await _read(manager.stream("Hello"), read)
                assert caught.value.partial_text == "".join(read) == "Hel"
            with pytest.raises(CircuitOpenError):
                await manager.stream("Hello").completion()
        assert len(one.requests) == 2


@pytest.mark.story("4.7")
async def test_a_request_has_one_name_however_often_it_is_sent() -> None:
    with LLMServer(DOWN, DOWN, WELL) as one:
        table = {"kind": "openai", "base_url": f"{one.url}/v1", "api_key_env": "K"}
        told = pair(one, one, **ALONE, retry={"attempts": 3, "base": 0}, providers={"one": table})
        async with configured(told, keys=["K"]) as manager:
            assert (await manager.generate("Hello")).attempts == 3
            await manager.generate("Hello")
        names = [request.headers["idempotency-key"] for request in one.requests]
        assert [request.headers["x-client-request-id"] for request in one.requests] == names
    assert names[0] == names[1] == names[2] != names[3]


@pytest.mark.story("E4.2")
async def test_calls_that_ask_the_same_at_once_are_one_where_that_is_wished() -> None:
    shared = CallOptions(shared=True)
    with LLMServer(Answer(WELL.body, delay=0.05)) as one:
        async with configured(pair(one, one, **ALONE)) as manager:
            leaver = asyncio.create_task(manager.generate("Hello", options=shared))
            calls = [manager.generate("Hello", options=shared) for _ in range(4)]
            waiting = asyncio.gather(*calls)
            await asyncio.to_thread(one.wait_open, 1)
            leaver.cancel()  # one who leaves ends nothing for the others
            assert [answer.text for answer in await waiting] == ["Hello"] * 4
            assert len(one.requests) == 1
            await asyncio.gather(*(manager.generate("Hello") for _ in range(2)))
            assert len(one.requests) == 3


@pytest.mark.slow
@pytest.mark.story("E4.3")
@pytest.mark.parametrize(
    ("answer", "asked", "end"),
    [
        (refusal(400), 1, BadRequestError),  # it would fail everywhere
        (refusal(400, "content_filter"), 1, ContentFilterError),
        (refusal(400, "context_length_exceeded"), 1, None),  # another model may be able to
        (refusal(401), 1, None),
        (refusal(403), 1, None),
        (refusal(404), 1, None),
        (refusal(429, "insufficient_quota"), 1, None),  # waiting does not help
        (refusal(429, retry_after="20"), 1, None),  # another one is there sooner
        (refusal(429, retry_after="1"), 2, None),
        (refusal(408), 2, None),
        (refusal(503), 2, None),
        (Answer(WELL.body, cut=0, how="close"), 2, None),
    ],
)
async def test_each_class_of_errors_has_its_own_response(
    answer: Answer, asked: int, end: type[SentientError] | None
) -> None:
    with LLMServer(answer) as one, LLMServer(WELL) as two:
        async with configured(pair(one, two, retry={"attempts": 2}), clock=Waits()) as manager:
            if end is None:
                got = await manager.generate("Hello")
                assert (got.provider, got.attempts, got.failovers) == ("two", asked + 1, 1)
            else:
                with pytest.raises(end):
                    await manager.generate("Hello")
        assert (len(one.requests), len(two.requests)) == (asked, int(end is None))
