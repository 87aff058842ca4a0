"""What becomes of answers on their way from a provider's wire to a caller of the manager, over real sockets."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import pytest

from sentient_cli.errors import ContentFilterError, ServerError
from sentient_cli.llm import LLMManager, Message, Request, ToolCall
from sentient_cli.llm.call import Answering
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.context import ContextManager, InContext
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import configured, pair, refusal
from tests.llm.providers import anthropic_wire, chat_wire
from tests.llm.providers.faulty import opened, wires
from tests.llm.providers.wires import Wire
from tests.support.llm_server import Answer, LLMServer, as_sse

MINE = {"model": "mine"}


def _claude(server: LLMServer) -> dict[str, object]:
    table = {"kind": "anthropic", "base_url": server.url, "api_key_env": "K", "default_model": anthropic_wire.MODEL}
    return pair(server, server, **MINE, groups={}, providers={"mine": table})


def _chat(server: LLMServer, **more: object) -> dict[str, object]:
    table = {"kind": "compatible", "base_url": f"{server.url}/v1", "default_model": "m"}
    return pair(server, server, **MINE, groups={}, providers={"mine": table}, **more)


@pytest.mark.story("2.1", "2.3")
async def test_every_event_of_a_stream_is_read_and_what_is_not_known_is_kept() -> None:
    news: dict[str, object] = {"type": "message_mood", "delta": "good"}
    thought: list[dict[str, object]] = [
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "signature_delta", "signature": "sig"},
    ]
    arguments: list[dict[str, object]] = [
        {"type": "input_json_delta", "partial_json": text} for text in ('{"a":', "1}")
    ]
    body = anthropic_wire.message(
        anthropic_wire.block(0, {"type": "thinking", "thinking": "", "signature": ""}, thought),
        [{"type": "ping"}, news],
        anthropic_wire.block(1, {"type": "text", "text": ""}, [{"type": "text_delta", "text": "Sure"}]),
        anthropic_wire.block(2, {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}}, arguments),
        reason="tool_use",
    )
    failing = anthropic_wire.text_answer(["Hel", "lo"])[:5]
    told = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with LLMServer(Answer(body), Answer([*failing, *as_sse([told], names=True)])) as server:
        async with configured(_claude(server) | {"failover": "fail"}, keys=["K"]) as manager:
            answer = await manager.generate("Hello")
            with pytest.raises(ServerError) as caught:
                async for _ in manager.stream("Hello"):
                    pass
    assert (answer.text, answer.finish_reason) == ("Sure", "tool_call")
    assert [(part.text, part.signature) for part in answer.thinking] == [("Hm", "sig")]
    assert [(call.id, call.name, call.parsed()) for call in answer.tool_calls] == [("toolu_1", "add", {"a": 1})]
    assert answer.extra == {"events": [news]}
    assert caught.value.partial_text == "Hello"


@pytest.mark.story("E2.1")
async def test_refusals_are_typed_whoever_refuses() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Too dangerous"}
    text = anthropic_wire.block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": "Well"}])
    claude = anthropic_wire.message(text, reason="refusal", details=details)
    frames = [chat_wire.frame({"refusal": "Too "}), chat_wire.frame({"refusal": "dangerous"})]
    chat = as_sse([*frames, *chat_wire.ending("content_filter")], done=True)
    with LLMServer(Answer(claude)) as one, LLMServer(Answer(chat), refusal(400, "content_filter")) as two:
        async with configured(_claude(one), keys=["K"]) as first, configured(_chat(two)) as second:
            answers = [await manager.generate("Hello") for manager in (first, second)]
            with pytest.raises(ContentFilterError):
                await second.generate("Hello")
        assert (len(one.requests), len(two.requests)) == (1, 2)  # another try would give the same
    assert [(answer.text, answer.refusal, answer.finish_reason) for answer in answers] == [
        ("Well", "Too dangerous", "content_filter"),
        ("", "Too dangerous", "content_filter"),
    ]


@pytest.mark.story("E2.1", "2.6")
async def test_a_filter_that_finds_something_in_a_stream_ends_it_and_frees_the_connection() -> None:
    going_on = chat_answer("The word ", "is sword", "fish.", " More").body
    assert not isinstance(going_on, bytes)
    with LLMServer(Answer(going_on[:4], how="stall")) as server:
        async with configured(_chat(server, safety={"words": ["swordfish"], "on_finding": "end"})) as manager:
            stream = manager.stream("Hello")
            assert "".join([text async for text in stream]) == "The word is "
            answer = await stream.completion()
            assert (answer.text, answer.finish_reason) == ("The word is ", "content_filter")
            await asyncio.to_thread(server.wait_open, 0)


_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


@pytest.mark.story("A6")
@pytest.mark.parametrize("reason", _REASONS)
async def test_usage_and_the_reason_of_the_end_are_the_same_over_all_wires(reason: str) -> None:
    chat = as_sse([chat_wire.text_frame("Hi"), *chat_wire.ending(reason)], done=True)
    text = anthropic_wire.block(0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hi"}])
    claude = anthropic_wire.message(text, reason=_REASONS[reason])
    with LLMServer(Answer(claude)) as one, LLMServer(Answer(chat)) as two:
        async with configured(_claude(one), keys=["K"]) as first, configured(_chat(two)) as second:
            for answer in [await manager.generate("Hello") for manager in (first, second)]:
                assert answer.finish_reason == {"tool_calls": "tool_call"}.get(reason, reason)
                usage = answer.usage
                assert (usage.prompt, usage.output, usage.total) == (12, 10, 22)


@wires
@pytest.mark.story("F8", "3.2")
async def test_one_manager_speaks_all_wires(wire: Wire) -> None:
    with LLMServer(wire.handle) as server:
        async with opened(wire, server.url) as provider:
            manager = LLMManager([provider], default_model=f"{provider.provider_id}:{wire.model}")
            stream = manager.stream("Count.")
            assert "".join([text async for text in stream]).startswith("One two three ")
            assert (await stream.completion()).finish_reason == "stop"


def _in(context: ContextManager, inner: Answering) -> Answering:
    return InContext(inner, context)


@pytest.mark.story("E2.3")
async def test_what_is_pinned_stays_and_a_tool_call_goes_with_its_result() -> None:
    call = ToolCall("c1", "add", '{"a": 1}')
    words = "word " * 20
    talk = [
        Message.system("Be brief."),
        Message.user("Remember: the code is 7."),
        *(Message.user(f"{number} {words}") for number in range(10)),
        *(Message.assistant("", (call,)), Message.tool(call, words)),
        *(Message.user(f"{number} {words}") for number in range(10, 16)),
    ]
    with LLMServer(chat_answer("Hello")) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", default_model="m")
        provider = CompatibleProvider("compatible", config, provider_id="mine")
        for room in range(150, 600, 50):
            context = ContextManager(room, reserve=20, pin=lambda message: "Remember" in message.text)
            fitted = await context.fit(Request(model="m", messages=tuple(talk)))
            around = partial(_in, context)
            manager = LLMManager([provider], default_model="mine", around_calls=[around])
            answer = await manager.generate(talk)
            sent = json.loads(server.requests[-1].body)["messages"]
            assert len(sent) == len(talk) - fitted.removed < len(talk)
            assert [message["content"] for message in (*sent[:2], sent[-1])] == [
                *("Be brief.", "Remember: the code is 7."),
                talk[-1].text,
            ]
            assert [m["role"] for m in sent].count("tool") == sum("tool_calls" in m for m in sent)
            assert "left out" in answer.notices[0]
        await provider.aclose()


@pytest.mark.story("F1")
async def test_a_cached_answer_is_asked_for_once() -> None:
    with LLMServer(chat_answer(*["word "] * 50)) as server:
        async with configured(_chat(server, cache={"enabled": True})) as manager:
            first = await manager.generate("Hello")
            for _ in range(3):
                answer = await manager.generate("Hello")
                assert (answer.cached, answer.text) == (True, first.text)
        assert len(server.requests) == 1
