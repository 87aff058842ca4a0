from __future__ import annotations

import asyncio
import gc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli import llm
from sentient_cli.clock import SystemClock
from sentient_cli.errors import (
    BadRequestError,
    ConfigError,
    CredentialNotFoundError,
    ProviderConnectionError,
    ProviderError,
    RateLimitError,
)
from sentient_cli.llm import (
    CallRecord,
    Chunk,
    LLMManager,
    Message,
    OfflineProvider,
    Parameters,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from tests.llm.parts import PlainProvider, Records, manager, offline

ANSWER = (
    Chunk("Hel"),
    Chunk("lo"),
    Chunk(tool_call=ToolCallDelta(0, "a", "add", "{}")),
    Chunk(finish_reason="tool_call"),
    Chunk(usage=Usage(3, 0, 0, 2, 0)),
)


async def test_a_stream_gives_text_and_then_the_whole_answer() -> None:
    plain = PlainProvider(ANSWER)
    async with manager(plain).stream("hi") as stream:
        assert dict(stream.metadata) == {"provider": "plain", "model": "standard", "attempts": 1, "failovers": 0}
        first = await anext(stream)
        assert stream.metadata["is_first_chunk"] is True
        texts = [first, *[text async for text in stream]]
        answer = await stream.completion()
    assert texts == ["Hel", "lo"]
    assert (answer.text, answer.finish_reason, answer.usage.total) == ("Hello", "tool_call", 5)
    assert [call.name for call in answer.tool_calls] == ["add"]
    assert answer.message.text == "Hello"
    assert dict(stream.metadata) == {
        "provider": "plain",
        "model": "standard",
        "attempts": 1,
        "failovers": 0,
        "is_first_chunk": False,
        "tokens": 2,
        "finish_reason": "tool_call",
    }
    assert plain.open == 0


async def test_the_chunks_are_those_of_the_provider() -> None:
    stream = manager(PlainProvider(ANSWER)).stream("hi")
    assert [chunk async for chunk in stream.chunks()] == list(ANSWER)
    assert (await stream.completion()).text == "Hello"
    assert [text async for text in stream] == []


async def test_model_ids_name_provider_and_model() -> None:
    one, two = PlainProvider(ANSWER, name="one"), PlainProvider(ANSWER, name="two")
    both = manager(one, two)
    assert (await both.generate("hi")).provider == "one"
    answer = await both.generate("hi", model="two:large:latest")
    assert (answer.provider, answer.model) == ("two", "large:latest")
    assert (await both.generate([Message.user("hi")], model="two")).model == "standard"


def test_no_model_names_the_keyless_one() -> None:
    with pytest.raises(ConfigError, match="`offline` needs no key"):
        LLMManager().stream("hi")


def test_an_unknown_provider_names_those_there_are_and_the_keyless_one() -> None:
    with pytest.raises(ConfigError, match="Registered: plain") as caught:
        manager(PlainProvider()).stream("hi", model="openai:gpt")
    assert "`offline` needs no key" in str(caught.value)


@pytest.mark.parametrize("fix", ["", "Set THE_KEY."])
async def test_a_missing_key_names_the_keyless_model(fix: str) -> None:
    plain = PlainProvider(ANSWER)
    plain.initialize_error = CredentialNotFoundError("There is no key for plain", fix=fix)
    with pytest.raises(CredentialNotFoundError, match="`offline` needs no key"):
        await manager(plain).generate("hi")


async def test_parameters_for_a_provider_that_is_not_there_are_said_to_be_left_out() -> None:
    parameters = Parameters(extra={"ofline": {"x": 1}, "offline": {"y": 2}})
    answer = await manager(offline()).generate("Hi", model="offline:echo", parameters=parameters)
    assert answer.notices == (
        "The parameters in `extra` for 'ofline' were left out: there is no such provider; did you mean 'offline'?",
    )


def test_providers_come_and_go() -> None:
    one, other = PlainProvider(), PlainProvider()
    managed = manager(one)
    with pytest.raises(ConfigError, match="already"):
        managed.register(other)
    assert managed.replace(other) is one
    assert managed.remove("plain") is other
    assert managed.providers == ()
    with pytest.raises(ConfigError, match="no provider 'plain'"):
        managed.remove("plain")


def test_a_provider_id_cannot_hold_a_colon() -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        manager(PlainProvider(name="a:b"), default="a")


@pytest.mark.parametrize("messages", [[], (), ["hi"], [{"role": "user", "content": "hi"}]])
def test_a_conversation_that_is_none_is_refused(messages: list[Message]) -> None:
    with pytest.raises(BadRequestError):
        manager(PlainProvider()).stream(messages)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(BadRequestError, match="Two tools are called 'add'"):
        manager(PlainProvider()).stream("hi", tools=[ToolSpec("add"), ToolSpec("sub"), ToolSpec("add")])


async def test_a_stream_without_its_terminal_marker_is_an_error_with_the_text_so_far() -> None:
    stream = manager(PlainProvider(ANSWER[:2])).stream("hi")
    with pytest.raises(ProviderConnectionError) as caught:
        async for _ in stream:
            pass
    assert (caught.value.partial_text, caught.value.provider) == ("Hello", "plain")
    with pytest.raises(ProviderConnectionError):
        await stream.completion()


async def test_a_failure_carries_the_text_so_far() -> None:
    plain = PlainProvider(ANSWER[:1], error=RateLimitError("Slow down", retry_after=2.0))
    with pytest.raises(RateLimitError) as caught:
        await manager(plain).generate("hi")
    assert (caught.value.partial_text, caught.value.provider, caught.value.retry_after) == ("Hel", "plain", 2.0)


async def test_a_stream_that_was_closed_early_has_no_whole_answer() -> None:
    plain = PlainProvider(ANSWER)
    async with manager(plain).stream("hi") as stream:
        assert await anext(stream) == "Hel"
    assert plain.open == 0
    with pytest.raises(ProviderError, match="closed before its end") as caught:
        await stream.completion()
    assert caught.value.partial_text == "Hel"
    await stream.aclose()


async def test_a_stream_that_is_never_read_calls_nobody() -> None:
    plain, records = PlainProvider(ANSWER), Records()
    stream = manager(plain, hooks=[records]).stream("hi")
    await stream.aclose()
    assert (plain.open, records.kinds) == (0, [])


@pytest.mark.slow
async def test_a_stream_that_is_dropped_frees_its_call() -> None:
    plain, records = PlainProvider(ANSWER), Records()
    async for _ in manager(plain, hooks=[records]).stream("hi"):
        break
    gc.collect()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert plain.open == 0
    assert records.last()["outcome"] == "cancelled"


@given(st.integers(0, 12), st.integers(0, 8))
async def test_cancelling_anywhere_frees_the_call_and_leaves_no_task(turns: int, chunks: int) -> None:
    plain, records = PlainProvider([Chunk(f"{place} ") for place in range(chunks)], hang=True), Records()
    task = asyncio.create_task(manager(plain, hooks=[records]).generate("hi"))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert plain.open == 0
    assert not records.kinds or records.last()["outcome"] == "cancelled"


async def test_hooks_are_told_in_order_and_chunks_come_together() -> None:
    records = Records()
    answer = await manager(PlainProvider(ANSWER), hooks=[records]).generate("hi")
    assert records.kinds == ["llm.request", "llm.attempt", "llm.chunks", "llm.usage", "llm.finished"]
    assert len({record.call for record in records.records}) == 1
    assert [record.attempt for record in records.records] == [0, 1, 1, 1, 1]
    asked, _, chunks, usage, finished = (record.data for record in records.records)
    assert asked["messages"] == [{"role": "user", "content": "hi"}]
    assert chunks["chunks"] == [
        [0, {"text": "Hel"}],
        [0, {"text": "lo"}],
        [0, {"tool_call": {"index": 0, "id": "a", "name": "add", "arguments": "{}"}}],
        [0, {"finish_reason": "tool_call"}],
        [0, {"usage": {"input": 3, "cache_read": 0, "cache_write": 0, "output": 2, "reasoning": 0}}],
    ]
    assert usage["output"] == 2
    assert (finished["outcome"], finished["finish_reason"]) == ("done", answer.finish_reason)


async def test_a_record_has_at_most_64_chunks() -> None:
    records = Records()
    chunks = [*(Chunk(f"{place} ") for place in range(150)), Chunk(finish_reason="stop")]
    await manager(PlainProvider(chunks), hooks=[records]).generate("hi")
    told = [record.data["chunks"] for record in records.records if record.kind == "llm.chunks"]
    assert [len(batch) for batch in told if isinstance(batch, list)] == [64, 64, 23]


async def test_chunks_are_told_although_none_follows() -> None:
    told = asyncio.Event()

    class Waits:
        def on_record(self, record: CallRecord) -> None:
            if record.kind == "llm.chunks":
                told.set()

    stream = manager(PlainProvider([Chunk("Hel")], hang=True), hooks=[Waits()]).stream("hi")
    assert await anext(stream) == "Hel"
    await told.wait()
    await stream.aclose()


async def test_a_failed_call_is_told_as_such() -> None:
    records = Records()
    with pytest.raises(RateLimitError):
        await manager(PlainProvider(error=RateLimitError("Slow down")), hooks=[records]).generate("hi")
    assert records.last()["outcome"] == "error"
    assert records.last()["error"] == {"code": "rate-limit", "what": "Slow down"}


async def test_a_defect_of_a_provider_is_told_as_an_error() -> None:
    records = Records()
    with pytest.raises(ZeroDivisionError):
        await manager(PlainProvider(error=ZeroDivisionError()), hooks=[records]).generate("hi")
    assert records.last()["outcome"] == "error"


async def test_a_hook_that_fails_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def on_record(self, record: CallRecord) -> None:
            raise ValueError(record.kind)

    after = Records()
    answer = await manager(PlainProvider(ANSWER), hooks=[Broken(), after]).generate("hi")
    assert answer.text == "Hello"
    assert len(after.records) == 5
    assert "A hook failed" in caplog.text


async def test_closing_the_manager_closes_its_providers() -> None:
    plain = PlainProvider()
    await manager(plain).aclose()
    assert plain.closed == 1


async def test_the_module_asks_the_manager_of_the_run() -> None:
    token = llm.current_manager.set(manager(PlainProvider(ANSWER)))
    try:
        assert [text async for text in llm.stream("hi")] == ["Hel", "lo"]
        assert (await llm.generate("hi")).provider == "plain"
    finally:
        llm.current_manager.reset(token)


async def test_outside_of_a_run_the_module_asks_the_offline_model() -> None:
    assert (await llm.generate("What is 6 * 7?")).text == "6 * 7 = 42"
    assert llm.get_manager() is llm.get_manager()


async def test_the_manager_works_with_the_real_clock() -> None:
    managed = LLMManager([offline()], default_model="offline", hooks=[Records()], clock=SystemClock())
    assert (await managed.generate("What is 6 * 7?")).text == "6 * 7 = 42"


def test_names_are_lazy_and_complete() -> None:
    for name in llm.__all__:
        assert getattr(llm, name) is not None
    assert set(dir(llm)) == set(llm.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        getattr(llm, "nothing")  # noqa: B009


@pytest.mark.parametrize("text", ["half \ud83d", "\udc80"])
async def test_half_a_character_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(BadRequestError, match="half a character"):
        await LLMManager([OfflineProvider()], default_model="offline").generate(text)


async def test_a_role_that_there_is_not() -> None:
    message = msgspec.structs.replace(Message.user("hi"))
    msgspec.structs.force_setattr(message, "role", "critic")
    with pytest.raises(BadRequestError, match="no role 'critic'") as caught:
        await LLMManager([OfflineProvider()], default_model="offline").generate([message])
    assert "assistant" in caught.value.fix
