"""The floor: an ASGI application that sends one ready-made event with each ``send``, and does nothing else.

Run as ``python raw.py PORT``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias, cast

import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.programs.agent import text

Message: TypeAlias = Mapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_LONGEST = 5000
_ID = "01JS4F4Z5V00000000000%05d"


def _frame(seq: int, name: str, event: dict[str, object]) -> bytes:
    return f"id: {seq}\nevent: {name}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


def _event(kind: str, name: str, seq: int, **more: object) -> dict[str, object]:
    return {
        "content_type": kind,
        "event_name": name,
        "schema_version": "1.0",
        "id": _ID % seq,
        "source": "sentient-chat-client",
        "metadata": None,
        **more,
    }


def _chunk(seq: int) -> bytes:
    more: dict[str, object] = {"stream_id": "xjtw1lb7r1", "is_complete": False, "content": text(seq)}
    return _frame(seq, "FINAL_RESPONSE", _event("chunked.text", "FINAL_RESPONSE", seq, **more))


_FRAMES = [_chunk(seq) for seq in range(_LONGEST)]
_LAST = _frame(_LONGEST, "done", _event("atomic.done", "done", _LONGEST))
_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache, no-transform")],
}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    if scope["method"] != "POST":
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    body = cast("bytes", (await receive())["body"])
    count = int(json.loads(json.loads(body)["query"]["prompt"])["count"])
    await send(_START)
    for index in range(count + 1):
        await send({"type": "http.response.body", "body": _FRAMES[index], "more_body": True})
    await send({"type": "http.response.body", "body": _LAST, "more_body": False})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="warning")
