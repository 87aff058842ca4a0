"""OpenAI's batches, against a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import BadRequestError, ProviderConnectionError, ProviderError, RateLimitError
from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
from sentient_cli.llm.batches import BatchProvider, BatchStatus
from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider
from sentient_cli.llm.provider import Request
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.llm.types import Message
from tests.llm.providers.chat_wire import MODEL
from tests.support.llm_server import Answer, LLMServer, Received, as_json

REQUESTS = [Request(model=MODEL, messages=(Message.user(text),)) for text in ("One?", "Two?", "Three?")]
BATCH: dict[str, object] = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-in",
    "completion_window": "24h",
    "created_at": 1,
}


def line(place: int, status: int, body: object) -> bytes:
    told = {
        "id": "r",
        "custom_id": f"request-{place}",
        "response": {"status_code": status, "body": body},
        "error": None,
    }
    return json.dumps(told).encode() + b"\n"


SAID = {
    "model": f"{MODEL}-dated",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Two."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}


def handle(received: Received) -> Answer:
    counts = {"total": 3, "completed": 1}
    done = {**BATCH, "status": "completed", "output_file_id": "file-out", "error_file_id": "file-bad"}
    told: dict[str, object] = {
        "/v1/files": {"id": "file-in", "object": "file", "bytes": 1, "created_at": 1, "filename": "b"},
        "/v1/batches": {**BATCH, "status": "validating"},
        "/v1/batches/batch_1": {**done, "request_counts": {**counts, "failed": 1}},
        "/v1/batches/batch_2": {**BATCH, "status": "in_progress", "request_counts": {**counts, "failed": 0}},
        "/v1/batches/batch_2/cancel": {**BATCH, "status": "cancelling"},
    }  # fmt: skip
    if received.path == "/v1/files/file-out/content":
        return Answer(line(1, 200, SAID) + line(2, 200, {"choices": []}), content_type="application/octet-stream")
    if received.path == "/v1/files/file-bad/content":
        return Answer(line(0, 429, {"error": {"message": "No"}}), content_type="application/octet-stream")
    return as_json(told[received.path]) if received.path in told else as_json({"error": {"message": "No such"}}, 404)


@pytest.fixture(name="server")
def _server() -> Iterator[LLMServer]:
    with LLMServer(handle) as server:
        yield server


def provider_of(server: LLMServer) -> OpenAIProvider:
    return OpenAIProvider(OpenAIConfig(base_url=f"{server.url}/v1", api_key=Secret("sk-1")))


@pytest.mark.story("3.6")
async def test_a_batch_from_its_beginning_to_its_results(server: LLMServer) -> None:
    provider = provider_of(server)
    batches: BatchProvider = provider
    assert provider.capabilities.batches
    batch = await batches.submit_batch(REQUESTS)
    sent = server.requests[0].body
    assert b'"custom_id":"request-2"' in sent
    assert b'"stream"' not in sent
    assert server.requests[1].json()["input_file_id"] == "file-in"
    assert await batches.batch_status(batch) == BatchStatus(id="batch_1", state="ended", succeeded=1, failed=2)
    results = {result.index: result async for result in batches.batch_results(batch)}
    answer = results[1].answer()
    assert (answer.text, answer.usage.total, answer.model) == ("Two.", 4, f"{MODEL}-dated")
    with pytest.raises(RateLimitError):
        results[0].answer()
    with pytest.raises(ProviderConnectionError):
        results[2].answer()
    await provider.aclose()


async def test_a_batch_that_goes_on_and_is_cancelled(server: LLMServer) -> None:
    provider = provider_of(server)
    assert (await provider.batch_status("batch_2")).waiting == 2
    with pytest.raises(BadRequestError, match="has no results"):
        await anext(provider.batch_results("batch_2"))
    assert (await provider.cancel_batch("batch_2")).state == "cancelling"
    await provider.aclose()


async def test_of_several_keys_batches_have_one(server: LLMServer) -> None:
    config = OpenAIConfig(base_url=f"{server.url}/v1", api_keys=(Secret("sk-one-0001"), Secret("sk-two-0002")))
    for _ in range(2):  # another process knows no more than the id
        provider = OpenAIProvider(config)
        provider.keys.take()  # a call has its turn
        batch = await provider.submit_batch(REQUESTS)
        await provider.batch_status(batch)
        assert [result async for result in provider.batch_results(batch)]
        await provider.aclose()
    sent = {each.headers["authorization"] for each in server.requests if each.path != "/v1/models"}
    assert sent == {"Bearer sk-one-0001"}


@pytest.mark.parametrize("given", ["abc", None, [5], [Message.user("Hi")], [Request(model="m", messages=())]])
async def test_what_is_no_batch_of_requests_is_refused_before_anything_is_sent(
    server: LLMServer, given: object
) -> None:
    mine = provider_of(server)
    theirs = LazyProvider(
        "claude", lambda: AnthropicProvider(AnthropicConfig(base_url=server.url, api_key=Secret("sk-1")))
    )
    for provider in (mine, theirs):
        with pytest.raises(BadRequestError) as caught:
            await provider.submit_batch(given)  # type: ignore[arg-type]
        assert caught.value.fix
        for name in (None, 5, "a b"):
            with pytest.raises(BadRequestError, match="There is no batch"):
                await provider.batch_status(name)  # type: ignore[arg-type]
        await provider.aclose()
    assert server.requests == []


@pytest.mark.parametrize("name", ["", "../models", "batch/../1", "none"])
async def test_batches_that_are_none(server: LLMServer, name: str) -> None:
    provider = provider_of(server)
    with pytest.raises(ProviderError):
        await provider.batch_status(name)
    with pytest.raises(BadRequestError, match="is not taken"):
        await provider.submit_batch([])
    await provider.aclose()
