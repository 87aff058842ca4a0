"""A request that is cut from within is answered as every other, unless its answer has begun."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.types import Message, Receive, Scope, Send

from sentient_cli.server.gate import Gate, GateRules

_SCOPE = {"type": "http", "method": "GET", "path": "/health", "headers": [(b"host", b"localhost")], "scheme": "http"}


async def _receive() -> Message:
    return {"type": "http.disconnect"}


async def _cut(begun: bool) -> list[Message]:
    """What is sent by a request that is cancelled while it waits."""
    sent: list[Message] = []
    waiting = asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Gate(app, GateRules())(dict(_SCOPE), _receive, send))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return sent


async def test_it_is_answered_in_json_with_its_id() -> None:
    start, body = await _cut(begun=False)
    headers = dict(start["headers"])
    assert start["status"] == 503
    assert b"x-request-id" in headers
    assert json.loads(body["body"])["code"] == "overloaded"


async def test_an_answer_that_has_begun_just_ends() -> None:
    assert [message["type"] for message in await _cut(begun=True)] == ["http.response.start"]
