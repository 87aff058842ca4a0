"""The turns that a client tells with its next question."""

from __future__ import annotations

import json

import pytest

from sentient_cli.client.session import ClientSession
from sentient_cli.errors import NetworkError
from tests.client.client_kit import ask, talking
from tests.client.fault_server import Exchange, done, error, text


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
