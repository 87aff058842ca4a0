"""A connection that broke or stalled is resumed where it was, and what cannot be is said."""

from __future__ import annotations

import pytest

from sentient_cli.client.session import ClientSession
from sentient_cli.errors import NetworkError, SentientError
from tests.client.client_kit import QUICK, ask, contents, talking
from tests.client.fault_server import Exchange, done, text


async def test_a_broken_connection_resumes_where_it_broke() -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.method == "POST":
            await exchange.begin()
            await exchange.chunk(text("one", 3) + text("two", 5) + b"id: 8\nevent: x\nda")
            exchange.reset()
            return
        assert exchange.path == "/runs/run-1/events"
        # Again from before the cursor, as a server may: nothing is to be repeated.
        await exchange.begin()
        await exchange.chunk(text("two", 5) + text("three", 8) + done(9))

    async with talking(handler) as (server, client, seen):
        assert contents(await ask(client)) == ["one", "two", "three"]
    assert server.exchanges[1].headers["last-event-id"] == "5"
    assert seen.resumed == 1
    assert seen.attempts == [1]


async def test_a_stream_that_stalls_is_resumed() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        if exchange.method == "POST":
            await exchange.chunk(text("one", 2))
            await exchange.gone()
        else:
            await exchange.chunk(done(3))

    async with talking(handler, QUICK._replace(idle=0.2)) as (server, client, _):
        assert contents(await ask(client)) == ["one"]
    assert server.requests() == ["POST /assist", "GET /runs/run-1/events"]


async def test_it_tries_again_while_the_server_is_away_and_counts_anew_after_progress() -> None:
    seqs = iter(range(2, 12))

    async def handler(exchange: Exchange) -> None:
        number = len(server.exchanges)
        if number in {2, 3}:
            await exchange.answer(503)
        elif number == 9:
            await exchange.begin()
            await exchange.chunk(done(99))
        else:
            await exchange.begin()
            await exchange.chunk(text(str(number), next(seqs)))
            exchange.reset()

    async with talking(handler) as (server, client, seen):
        assert contents(await ask(client)) == ["1", "4", "5", "6", "7", "8"]
    assert seen.attempts == [1, 2, 3, 1, 1, 1, 1, 1]


async def test_it_gives_up_after_some_tries_without_progress() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        if exchange.method == "POST":
            await exchange.chunk(b"retry: 1\n" + text("one", 2))
        exchange.reset()

    async with talking(handler) as (server, client, seen):
        with pytest.raises(NetworkError, match="cut off"):
            await ask(client)
    assert seen.attempts == [1, 2, 3, 4, 5, 6]
    assert len(server.exchanges) == 7


@pytest.mark.parametrize(
    ("status", "why"),
    [(204, "nothing more"), (404, "no longer knows"), (410, "no longer kept"), (401, "refused the access")],
)
async def test_what_cannot_be_resumed_is_said(status: int, why: str) -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.method == "POST":
            await exchange.begin()
            await exchange.chunk(text("one", 2))
            exchange.reset()
        else:
            await exchange.answer(status)

    async with talking(handler) as (server, client, _):
        with pytest.raises(SentientError, match=why):
            await ask(client)
    assert len(server.exchanges) == 2


async def test_a_server_without_run_ids_cannot_resume() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin(run_id=None)
        await exchange.chunk(text("one"))
        await exchange.end()

    async with talking(handler) as (server, client, _):
        with pytest.raises(NetworkError, match=r"cut off.*cannot resume"):
            await ask(client)
    assert len(server.exchanges) == 1


async def test_a_run_id_that_is_none_is_not_used_in_a_path() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin(run_id="../../secret")
        await exchange.chunk(done(1))

    async with talking(handler) as (_, client, _), client.ask("hi", ClientSession()) as answer:
        assert answer.run_id is None
        assert await answer.cancel() is False
