"""Bodies: large ones hold nobody up, and what is told of a wrong one is short."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import pytest

from sentient_cli.host import Host
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.server.answers import RequestError
from sentient_cli.server.app import create_app
from sentient_cli.server.body import parse_request
from tests.support.wire import JSON_BODY, QUERY_ID, question

_LONG = 1_000_000
_MOST = 1500
"""Bytes that a body with one fault may cost: twice 200 characters, escaped or not, and the rest."""


def told(body: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        parse_request(body)
    assert caught.value.status == 422
    return json.dumps(caught.value.body["detail"], ensure_ascii=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        b"x" * _LONG,
        b"\xff" * _LONG,
        b'{"query": ' + b" " * _LONG,
        b'{"query": "' + "😀".encode() * _LONG,
        json.dumps({"query": {"id": "x" * _LONG, "prompt": "p"}}).encode(),
        json.dumps({"query": {"id": QUERY_ID, "prompt": ["x"] * _LONG}}).encode(),
        b'{"query": {"id": "' + QUERY_ID.encode() + b'", "prompt": ' + b"9" * 4000 + b"}}",
        b'{"query": {"id": ' + b"9" * _LONG + b', "prompt": ""}}',
    ],
    ids=["text", "bytes", "unfinished", "emoji", "string", "list", "number", "long number"],
)
def test_a_wrong_body_is_never_echoed_at_length(body: bytes) -> None:
    assert len(told(body)) < _MOST


def test_a_name_in_a_message_is_cut_too() -> None:
    event = {"content_type": "x" * _LONG, "event_name": "A", "id": QUERY_ID, "source": "s"}
    part = {"prompt": "p", "fileIds": ["f"]}
    request: dict[str, object] = {
        "sender": None,
        "event": {"id": QUERY_ID, "chatId": QUERY_ID, "content": {"request_payload": {"parts": [part]}}},
    }
    chat = {"processor_id": "p", "activity_id": QUERY_ID, "request_id": QUERY_ID}
    turn: dict[str, object] = {"request": request, "responses": [{"sender": "a", "event": event}]}
    assert len(told(question("x", {**chat, "interactions": [turn]}))) < _MOST


@pytest.mark.parametrize("value", ["short", 3, True, None, 1.5])
def test_a_short_value_is_told_as_it_was(value: object) -> None:
    detail = told(json.dumps({"query": {"id": QUERY_ID, "prompt": value}, "session": 0}).encode())
    assert isinstance(value, str) or json.dumps(value) in detail


async def test_agents_that_hold_all_threads_hold_no_large_body_up() -> None:
    released = threading.Event()

    async def answering(session: Session, query: Query, response: Response) -> None:
        await response.text_block("ANSWER", str(len(query.prompt)))

    host = Host(FunctionAgent(answering), capture=False)
    held = [asyncio.create_task(asyncio.to_thread(released.wait)) for _ in range(64)]
    transport = httpx.ASGITransport(create_app(host))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        try:
            answer = await client.post("/assist", headers=JSON_BODY, content=question("x" * 200_000))
        finally:
            released.set()
            await asyncio.gather(*held)
    await host.aclose()
    assert '"content":"200000"' in answer.text
