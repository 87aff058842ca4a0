"""What batches used is written down once, at the price of batches, and shown like everything else."""

from __future__ import annotations

import asyncio
import json

import pytest

from sentient_cli import llm
from sentient_cli.errors import BudgetExceededError
from sentient_cli.llm import Message, Request
from sentient_cli.llm.current import current_manager
from sentient_cli.llm.subject import on_behalf_of
from sentient_cli.llm.usage.ledger import ledger_file, open_for_reading
from sentient_cli.llm.usage.report import UsageSum, sums
from tests.cli.processes import run_sentient
from tests.llm.factory.socket_kit import configured, table
from tests.support.llm_server import Answer, LLMServer, Received, as_json

BATCH: dict[str, object] = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-in",
    "completion_window": "24h",
    "created_at": 1,
    "status": "completed",
    "output_file_id": "file-out",
}


def _said(place: int, model: str, tokens: int) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}
    body = {"model": model, "choices": [choice], "usage": {"prompt_tokens": tokens, "completion_tokens": 0}}
    told = {"custom_id": f"request-{place}", "response": {"status_code": 200, "body": body}, "error": None}
    return json.dumps(told).encode() + b"\n"


def _openai(*lines: bytes) -> LLMServer:
    def answer(received: Received) -> Answer:
        if received.path == "/v1/files/file-out/content":
            return Answer(b"".join(lines), content_type="application/octet-stream")
        if received.path == "/v1/files":
            return as_json({"id": "file-in", "object": "file", "bytes": 1, "created_at": 1, "filename": "b"})
        return as_json(BATCH)

    return LLMServer(answer)


FAILED = json.dumps(
    {"custom_id": "request-2", "response": {"status_code": 429, "body": {"error": {"message": "No"}}}, "error": None}
).encode()
TWO = (_said(0, "gpt-4o-2024-08-06", 1_000_000), _said(1, "gpt-4o-2024-08-06", 2_000_000), FAILED)


def _sums() -> list[UsageSum]:
    connection = open_for_reading(ledger_file())
    if connection is None:
        return []
    try:
        return sums(connection, "model")
    finally:
        connection.close()


async def _read(server: LLMServer, *, usage: bool = True) -> list[float | None]:
    """Read the results as an agent does; what each cost."""
    told = {"model": "one:gpt-4o", "providers": {"one": table(server, "openai", "ONE_KEY")}, "usage": usage}
    async with configured(told, keys=("ONE_KEY",)) as manager:
        token = current_manager.set(manager)
        provider, _ = llm.batch_provider("one:gpt-4o")
        current_manager.reset(token)
        results = [result async for result in provider.batch_results("batch_1")]
        return [result.completion.cost for result in results if result.completion is not None]


@pytest.mark.story("3.6", "2.7", "3.7")
def test_what_a_batch_used_is_in_the_ledger_once() -> None:
    with _openai(*TWO) as server:
        for _ in range(2):  # by another process, or once more: it is the same
            assert asyncio.run(_read(server)) == [1.25, 2.5]
    (row,) = _sums()
    assert (row.group, row.calls, row.input, row.cost) == ("one:gpt-4o-2024-08-06", 2, 3_000_000, 3.75)
    (shown,) = [json.loads(line) for line in run_sentient("usage", "--json").stdout.splitlines()]
    assert (shown["model"], shown["calls"], shown["cost"]) == ("one:gpt-4o-2024-08-06", 2, 3.75)


@pytest.mark.story("3.6", "2.7")
@pytest.mark.parametrize("budget", [{"day": 3.0}, {"profile": 3.0}])
def test_a_batch_that_is_over_a_budget_is_not_handed_in(budget: dict[str, float]) -> None:
    async def main(server: LLMServer) -> None:
        told = {"providers": {"one": table(server, "openai", "ONE_KEY")}, "budget": budget, "usage": True}
        async with configured(told, keys=("ONE_KEY",)) as manager:
            token = current_manager.set(manager)
            provider, model = llm.batch_provider("one:gpt-4o")
            current_manager.reset(token)
            small = Request(model=model, messages=(Message.user("Is it?"),))
            assert await provider.submit_batch([small] * 10) == "batch_1"
            assert [result async for result in provider.batch_results("batch_1")]
            handed_in = len(server.requests)
        # In another process: what the results used is more than may be spent.
        async with configured(told, keys=("ONE_KEY",)) as manager:
            token = current_manager.set(manager)
            provider, _ = llm.batch_provider("one:gpt-4o")
            current_manager.reset(token)
            with pytest.raises(BudgetExceededError, match="is used up"):
                await provider.submit_batch([small])
            assert len(server.requests) == handed_in

    with _openai(*TWO) as server:
        asyncio.run(main(server))


@pytest.mark.story("3.6", "2.7")
def test_without_a_ledger_costs_are_told_all_the_same() -> None:
    with _openai(*TWO) as server:
        assert asyncio.run(_read(server, usage=False)) == [1.25, 2.5]
    assert _sums() == []


def test_who_left_in_the_middle_finds_the_rest_later() -> None:
    async def first_only(server: LLMServer) -> None:
        told = {"providers": {"one": table(server, "openai", "ONE_KEY")}, "usage": True}
        async with configured(told, keys=("ONE_KEY",)) as manager:
            provider, _ = manager.resolve("one")
            token = current_manager.set(manager)
            results = llm.batch_provider("one")[0].batch_results("batch_1")
            current_manager.reset(token)
            with on_behalf_of("Ann"):
                await anext(results)
            await results.aclose()
            await provider.aclose()

    with _openai(*TWO) as server:
        asyncio.run(first_only(server))
        assert [row.calls for row in _sums()] == [1]
        asyncio.run(_read(server))
    connection = open_for_reading(ledger_file())
    assert connection is not None
    tenants = {row.group: row.calls for row in sums(connection, "tenant")}
    connection.close()
    assert tenants == {"Ann": 1, "": 1}  # the first reading counts


def test_more_results_than_the_ledger_holds_at_a_time() -> None:
    lines = [_said(place, "gpt-4o", 10) for place in range(11_000)]
    with _openai(*lines) as server:
        assert len(asyncio.run(_read(server))) == 11_000
    assert [row.calls for row in _sums()] == [11_000]


@pytest.mark.story("3.6", "2.7")
def test_a_batch_of_anthropic() -> None:
    message = {
        "model": "claude-opus-4-5-20251101",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1_000_000, "output_tokens": 0, "service_tier": "batch"},
        "content": [{"type": "text", "text": "Yes."}],
    }
    line = json.dumps({"custom_id": "request-0", "result": {"type": "succeeded", "message": message}}).encode()

    async def main(server: LLMServer) -> None:
        settings = {"kind": "anthropic", "base_url": server.url, "api_key_env": "ONE_KEY"}
        async with configured({"providers": {"one": settings}, "usage": True}, keys=("ONE_KEY",)) as manager:
            token = current_manager.set(manager)
            provider, _ = llm.batch_provider("one")
            current_manager.reset(token)
            assert [result.answer().text async for result in provider.batch_results("msgbatch_1")] == ["Yes."]

    with LLMServer(Answer(line, content_type="application/x-jsonl")) as server:
        asyncio.run(main(server))
    (row,) = _sums()
    assert (row.calls, row.cost) == (1, 2.5)  # half of five dollars for a million
