from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from sentient_cli.client.agent_client import AgentClient
from sentient_cli.client.session import ClientSession
from sentient_cli.client.transport import Timeouts, base_url
from sentient_cli.errors import ConfigError, InvalidEventError, NetworkError, SentientError, UsageError
from sentient_cli.runtime.events import Event, TextBlockEvent
from tests.client.fault_server import Exchange, FaultServer, done, error, served, text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sentient_cli.client.answer import Answer
    from tests.client.fault_server import Handler

QUICK = Timeouts(connect=5, first_byte=5, idle=5, idle_unresumable=5, cancelled=5, backoff=0.001)


class Seen:
    """What a client said besides events."""

    def __init__(self) -> None:
        self.attempts: list[int] = []
        self.resumed = 0
        self.left_out: list[str] = []

    def reconnecting(self, attempt: int, tries: int) -> None:
        assert attempt <= tries
        self.attempts.append(attempt)

    def reconnected(self) -> None:
        self.resumed += 1

    def passed_over(self, content_type: str) -> None:
        self.left_out.append(content_type)


@asynccontextmanager
async def talking(
    handler: Handler, timeouts: Timeouts = QUICK, token: str | None = None
) -> AsyncGenerator[tuple[FaultServer, AgentClient, Seen]]:
    seen = Seen()
    async with (
        served(handler) as server,
        AgentClient(server.url, token=token, timeouts=timeouts, observer=seen) as client,
    ):
        yield server, client, seen


async def ask(client: AgentClient, prompt: str = "hi", session: ClientSession | None = None) -> list[Event]:
    async with client.ask(prompt, session or ClientSession()) as answer:
        return [event async for event in answer]


async def read_on(answer: Answer) -> Event:
    return await anext(answer)


def contents(events: list[Event]) -> list[str]:
    return [event.content for event in events if isinstance(event, TextBlockEvent)]


@pytest.mark.story("14.2")
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


@pytest.mark.story("14.2")
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


async def test_the_session_goes_on_with_what_was_said() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(
            text("Hel", 2, stream="s1") + text("note", 3) + text("lo", 4, stream="s1") + error("x", 503, 5) + done(6)
        )

    session = ClientSession()
    async with talking(handler) as (server, client, _):
        for prompt in ("one", "two", "three"):
            await ask(client, prompt, session)
    bodies = [json.loads(exchange.body) for exchange in server.exchanges]
    sessions = [body["session"] for body in bodies]
    assert {value["activity_id"] for value in sessions} == {session.activity_id}
    assert [len(value["interactions"]) for value in sessions] == [0, 1, 2]
    requests = [value["request"]["event"] for value in sessions[2]["interactions"]]
    ids = [sessions[0]["request_id"], sessions[1]["request_id"]]
    assert [request["id"] for request in requests] == ids
    assert [request["parent_request_id"] for request in requests] == [None, ids[0]]
    assert [request["root_request_id"] for request in requests] == [ids[0], ids[0]]
    assert requests[1] == {
        "id": ids[1],
        "chatId": session.activity_id,
        "content": {"capability": "assist", "request_payload": {"parts": [{"prompt": "two", "fileIds": []}]}},
        "parent_request_id": ids[0],
        "root_request_id": ids[0],
    }
    events = [message["event"] for message in sessions[1]["interactions"][0]["responses"]]
    assert [event["content"] for event in events[:2]] == ["Hello", "note"]
    assert events[2]["content"]["error_code"] == 503
    assert len(events) == 3
    assert len({body["query"]["id"] for body in bodies}) == 3


async def test_a_question_that_was_refused_is_not_remembered() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(503)

    session = ClientSession()
    async with talking(handler) as (_, client, _):
        with pytest.raises(NetworkError):
            await ask(client, session=session)
    assert session.turns == 0


FAULTS = b'{"detail":[{"type":"missing","loc":["body","query","id"],"msg":"Field required","input":{}}]}'


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (422, FAULTS, NetworkError, "body.query.id: Field required"),
        (422, b'{"detail":"no"}', NetworkError, "does not accept"),
        (404, b"<html>", NetworkError, "has no agent"),
        (401, b'{"detail":"Who are you?"}', ConfigError, "Who are you"),
        (403, b"", ConfigError, "--agent-token"),
        (413, b"", NetworkError, "too large"),
        (429, b"", NetworkError, "fewer requests"),
        (500, b"\x1b[2Jboom", NetworkError, "could not answer"),
        (503, b'{"error":{"what":"Draining"}}', NetworkError, "Draining"),
        (400, b'{"error":"bad \\u001b]0;x\\u0007host"}', NetworkError, "bad host"),
        (418, b"{", NetworkError, "refused the request"),
    ],
)
async def test_refusals_say_what_to_do(status: int, body: bytes, kind: type[SentientError], words: str) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(status, body)

    async with talking(handler) as (_, client, _):
        with pytest.raises(kind) as caught:
            await ask(client)
    assert words in str(caught.value)
    assert caught.value.fix
    assert "\x1b" not in str(caught.value)


async def test_a_redirect_is_not_followed() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(307, b"", "Location: http://192.0.2.1/assist\r\n")

    async with talking(handler) as (server, client, _):
        with pytest.raises(NetworkError, match=r"redirect.*192\.0\.2\.1"):
            await ask(client)
    assert len(server.exchanges) == 1


async def test_a_page_is_no_agent() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(200, b"<html>", "Content-Type: text/html\r\n")

    async with talking(handler) as (_, client, _):
        with pytest.raises(NetworkError, match="no Sentient agent"):
            await ask(client)


async def test_nobody_there(free_port: int) -> None:
    async with AgentClient(f"127.0.0.1:{free_port}") as client:
        with pytest.raises(NetworkError, match=r"no agent at .*sentient serve"):
            await ask(client)


async def test_a_server_that_never_answers() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.gone()

    async with talking(handler, QUICK._replace(connect=0.1, first_byte=0.1)) as (_, client, _):
        with pytest.raises(NetworkError, match="did not answer in time"):
            await ask(client)


async def test_a_server_that_hangs_up_before_it_answers_is_not_asked_again() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.reset()

    async with talking(handler) as (server, client, _):
        with pytest.raises(NetworkError, match="broke before"):
            await ask(client)
    assert len(server.exchanges) == 1


async def test_events_of_unknown_types_are_left_out_and_said() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        unknown = b'id: 2\ndata: {"content_type":"atomic.video","event_name":"V"}\n\n'
        await exchange.chunk(b"event: ping\ndata\n\n" + unknown + text("one", 3) + done(4))

    async with talking(handler) as (_, client, seen):
        assert contents(await ask(client)) == ["one"]
    assert seen.left_out == ["atomic.video"]


@pytest.mark.parametrize("data", ["hello", "{}", '{"content_type":"atomic.textblock"}', "[" * 3000])
async def test_what_is_no_event_is_an_error(data: str) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(f"data: {data}\n\n".encode())
        await exchange.gone()

    async with talking(handler) as (_, client, _):
        with pytest.raises(InvalidEventError):
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


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1/", "http://h:1"),
        ("https://h/a/assist", "https://h/a"),
        ("h:1", "http://h:1"),
        ("http://h/assist/", "http://h"),
        ("http://h/a/?q=1#f", "http://h/a"),
        ("[::1]:80", "http://[::1]"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    assert base_url(url) == expected


@pytest.mark.parametrize("url", ["", "ftp://h", "http://", "http://u:p@h", "http://h:x", "http://\x1b[2J"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        base_url(url)
    assert "\x1b" not in str(caught.value)


def test_a_session_forgets_its_oldest_turns() -> None:
    session = ClientSession()
    for number in range(205):
        session.end(session.begin(f"prompt {number}"))
    assert session.turns == 200
    for _ in range(3):
        session.end(session.begin("x" * 600_000))
    assert session.turns == 1
    body = json.loads(session.body(session.begin("last \ud800")))
    assert body["query"]["prompt"] == "last \ufffd"
    assert body["session"]["interactions"][0]["request"]["event"]["root_request_id"] < body["session"]["request_id"]
