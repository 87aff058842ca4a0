"""Anthropic's message batches, against a server on loopback."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    BadRequestError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    ServerError,
)
from sentient_cli.llm import Message, Parameters, Request
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from tests.llm.providers.anthropic_wire import MODEL
from tests.support.llm_server import Answer, LLMServer, Received, as_json

pytestmark = pytest.mark.story("3.6")

BATCH = {
    "id": "msgbatch_1",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 1, "expired": 1},
    "results_url": "https://elsewhere.example/results",
}
ANSWER = {
    "model": MODEL,
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "output_tokens": 4},
    "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "sig"},
        {"type": "text", "text": "Sure"},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}},
    ],
}
RESULTS: list[dict[str, object]] = [
    {"custom_id": "request-2", "result": {"type": "expired"}},
    {"custom_id": "request-0", "result": {"type": "succeeded", "message": ANSWER}},
    {
        "custom_id": "request-1",
        "result": {"type": "errored", "error": {"type": "error", "error": {"type": "api_error", "message": "Oops"}}},
    },
    {"custom_id": "request-3", "result": {"type": "canceled"}},
]


def handle(received: Received) -> Answer:
    if received.path.endswith("/results"):
        body = "\n".join(json.dumps(line) for line in RESULTS).encode()
        return Answer([body[:50], body[50:]], content_type="application/x-jsonl")
    return as_json(BATCH)


def provider_of(server: LLMServer) -> AnthropicProvider:
    return AnthropicProvider(AnthropicConfig(base_url=server.url, api_key=Secret("sk-ant-test-0001")))


async def test_a_batch_is_handed_in_watched_and_read() -> None:
    with LLMServer(handle) as server:
        provider = provider_of(server)
        requests = [Request(model=MODEL, messages=(Message.user(text),)) for text in ("One", "Two")]
        batch = await provider.submit_batch(requests)
        status = await provider.batch_status(batch)
        results = {result.index: result async for result in provider.batch_results(batch)}
        await provider.cancel_batch(batch)
        await provider.aclose()
    assert (status.id, status.is_over, status.succeeded, status.failed) == ("msgbatch_1", True, 1, 3)
    answer = results[0].answer()
    assert (answer.text, answer.finish_reason, answer.usage.total) == ("Sure", "tool_call", 7)
    assert answer.tool_calls[0].parsed() == {"a": 1}
    assert answer.thinking[0].signature == "sig"
    assert isinstance(results[1].error, ServerError)
    with pytest.raises(ProviderError, match="not answered in time"):
        results[2].answer()
    assert results[3].error is not None
    assert not results[3].error.retryable
    sent = msgspec.json.decode(server.requests[0].body, type=dict[str, list[dict[str, object]]])["requests"]
    assert [entry["custom_id"] for entry in sent] == ["request-0", "request-1"]
    assert sent[0]["params"] == {
        "model": MODEL,
        "max_tokens": 16384,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "One"}]}],
    }
    assert [(request.method, request.path) for request in server.requests[1:]] == [
        ("GET", "/v1/messages/batches/msgbatch_1"),
        ("GET", "/v1/messages/batches/msgbatch_1/results"),
        ("POST", "/v1/messages/batches/msgbatch_1/cancel"),
    ]


async def test_previews_are_turned_on_for_a_batch_too() -> None:
    with LLMServer(handle) as server:
        provider = provider_of(server)
        parameters = [
            Parameters(extra={"anthropic": {"betas": [name]}}) for name in ("one-2026", "two-2026", "one-2026")
        ]
        said = (Message.user("Hi"),)
        await provider.submit_batch([Request(model=MODEL, messages=said, parameters=each) for each in parameters])
        await provider.aclose()
    assert server.requests[0].headers["anthropic-beta"] == "one-2026,two-2026"


async def test_of_several_keys_batches_have_one() -> None:
    with LLMServer(handle) as server:
        keys = (Secret("sk-ant-one-0001"), Secret("sk-ant-two-0002"))
        provider = AnthropicProvider(AnthropicConfig(base_url=server.url, api_keys=keys))
        batch = await provider.submit_batch([Request(model=MODEL, messages=(Message.user("One"),))])
        await provider.batch_status(batch)
        assert [result async for result in provider.batch_results(batch)]
        await provider.cancel_batch(batch)
        await provider.aclose()
    assert {each.headers["authorization"] for each in server.requests} == {"Bearer sk-ant-one-0001"}


async def test_results_that_come_a_letter_at_a_time_are_waited_for_no_longer_than_others() -> None:
    slow = Answer([json.dumps(RESULTS[0]).encode() + b"\n", *[b" "] * 2000], pace=0.01)
    with LLMServer(lambda asked: slow if "/results" in asked.path else handle(asked)) as it:
        provider = provider_of(it)
        await provider.update_config({"stall_timeout": 0.05})
        results = provider.batch_results("msgbatch_1")
        assert (await anext(results)).index == 2
        with pytest.raises(ProviderTimeoutError, match="does not get on"):
            await anext(results)
        await asyncio.to_thread(it.wait_open, 0)
        await provider.aclose()


async def test_leaving_the_results_frees_the_connection() -> None:
    with LLMServer(handle) as server:
        provider = provider_of(server)
        results = provider.batch_results("msgbatch_1")
        await anext(results)
        await results.aclose()
        await provider.aclose()
        server.wait_open(0)


async def test_a_batch_that_cannot_be_is_refused_before_anything_is_sent() -> None:
    with LLMServer(handle) as server:
        provider = provider_of(server)
        with pytest.raises(BadRequestError, match="0 requests"):
            await provider.submit_batch([])
        with pytest.raises(BadRequestError, match="no batch"):
            await provider.batch_status("../models")
        server.answer(Answer(b'{"custom_id": "mine", "result": {"type": "expired"}}\n'))
        with pytest.raises(ProviderConnectionError, match="no request of ours"):
            await anext(provider.batch_results("msgbatch_2"))
        await provider.aclose()
