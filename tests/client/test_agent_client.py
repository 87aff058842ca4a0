"""An answer from its question to its end: events, cancelling, leaving, headers."""

from __future__ import annotations

import asyncio
import json

import pytest

from sentient_cli.client.answer import Answer
from sentient_cli.client.session import ClientSession
from sentient_cli.errors import NetworkError
from sentient_cli.runtime.events import Event
from tests.client.client_kit import QUICK, ask, contents, talking
from tests.client.fault_server import Exchange, done, error, text


async def read_on(answer: Answer) -> Event:
    return await anext(answer)


async def test_an_answer_ends_with_done_and_nothing_after_it() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(text("a", 2) + done(3) + text("late", 4))
        await exchange.gone()

    async with talking(handler) as (server, client, _), client.ask("hi", ClientSession()) as answer:
        events = [event async for event in answer]
        assert contents(events) == ["a"]
        assert events[-1].event_name == "done"
        assert answer.run_id == "run-1"
        assert json.loads(answer.raw)["content_type"] == "atomic.done"
        with pytest.raises(StopAsyncIteration):
            await anext(answer)
    assert server.requests() == ["POST /assist"]


async def test_bytes_may_come_one_by_one() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin(run_id=None)
        for byte in text("häuser 🏠") + done():
            await exchange.chunk(bytes([byte]))
        await exchange.end()

    async with talking(handler) as (_, client, _):
        assert contents(await ask(client)) == ["häuser 🏠"]


async def test_cancel_asks_the_server_and_the_end_still_comes() -> None:
    cancelled = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.path == "/assist":
            await exchange.begin()
            await exchange.chunk(text("one", 2))
            await cancelled.wait()
            await exchange.chunk(error("cancelled", 499, 3) + done(4))
        else:
            cancelled.set()
            await exchange.answer(202, b"{}")

    async with talking(handler) as (server, client, _), client.ask("hi", ClientSession()) as answer:
        names: list[str] = []
        async for event in answer:
            names.append(event.event_name)
            if event.event_name == "ANSWER":
                assert await answer.cancel() is True
    assert names == ["ANSWER", "error", "done"]
    assert server.requests() == ["POST /assist", "POST /runs/run-1/cancel"]
    assert server.exchanges[1].headers["content-type"] == "application/json"


async def test_a_cancelled_answer_that_does_not_end_is_let_go() -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.path == "/assist":
            await exchange.begin()
            await exchange.chunk(text("one", 2))
        await exchange.gone()

    waits = QUICK._replace(idle=50, cancelled=0.2)
    async with talking(handler, waits) as (_, client, _), client.ask("hi", ClientSession()) as answer:
        await anext(answer)
        reading = asyncio.create_task(read_on(answer))
        await asyncio.sleep(0)
        assert await answer.cancel() is False
        with pytest.raises(NetworkError, match="cut off"):
            await reading


async def test_events_of_unknown_types_are_left_out_and_said() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        unknown = b'id: 2\ndata: {"content_type":"atomic.video","event_name":"V"}\n\n'
        await exchange.chunk(b"event: ping\ndata\n\n" + unknown + text("one", 3) + done(4))

    async with talking(handler) as (_, client, seen):
        assert contents(await ask(client)) == ["one"]
    assert seen.left_out == ["atomic.video"]


@pytest.mark.parametrize(
    "cursors", [(1, 1, 1), (3, 2, 1), (4, None, None)], ids=["constant", "falling", "on the first"]
)
async def test_ids_that_do_not_rise_lose_no_event(cursors: tuple[int | None, ...]) -> None:
    first, second, last = cursors

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(text("one", first) + text("two", second) + done(last))

    async with talking(handler) as (_, client, _):
        assert contents(await ask(client)) == ["one", "two"]


async def test_json_that_is_nested_too_deeply_is_no_event() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(
            b'data: {"content_type":"atomic.json","content":' + b'{"a":' * 5000 + b"1" + b"}" * 5001 + b"\n\n"
        )

    async with talking(handler) as (_, client, _):
        with pytest.raises(NetworkError, match="no event"):
            await ask(client)


async def test_the_token_goes_with_every_request() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        if exchange.method == "POST":
            exchange.reset()
        else:
            await exchange.chunk(done(1))

    async with talking(handler, token="s3cret-token") as (server, client, _):
        await ask(client)
    assert [exchange.headers["authorization"] for exchange in server.exchanges] == ["Bearer s3cret-token"] * 2


async def test_no_proxy_of_the_environment_for_this_machine(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port}")

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(done(1))

    async with talking(handler) as (_, client, _):
        assert len(await ask(client)) == 1


async def test_leaving_in_the_middle_closes_the_connection() -> None:
    left = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(text("one", 2))
        await exchange.gone()
        left.set()

    session = ClientSession()
    async with talking(handler) as (_, client, _):
        async with client.ask("hi", session) as answer:
            await anext(answer)
        async with asyncio.timeout(30):
            await left.wait()
    assert session.turns == 1
