"""Answers as servers of chat completions stream them."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.llm_server import Answer, Received, as_json, as_sse

__all__ = ["MODEL", "WORDS", "call_frame", "ending", "frame", "handle", "text_answer", "text_frame"]

MODEL = "small-1"
WORDS = ("One ", "two ", "three ", "four ", "five ", "six ", "seven ", "eight ", "nine ", "ten ")
USAGE: dict[str, object] = {"prompt_tokens": 12, "completion_tokens": 10}


def frame(delta: object, finish: str | None = None, **more: object) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice], **more}


def text_frame(text: str) -> dict[str, object]:
    return frame({"content": text})


def call_frame(index: int | None = None, id: str | None = None, **function: object) -> dict[str, object]:  # noqa: A002
    call: dict[str, object] = {"type": "function", "function": function}
    if index is not None:
        call["index"] = index
    if id is not None:
        call["id"] = id
    return frame({"tool_calls": [call]})


def ending(reason: str = "stop", usage: object = None) -> list[dict[str, object]]:
    told = USAGE if usage is None else usage
    return [frame({}, reason), {"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": told}]


def text_answer(texts: Iterable[str] = WORDS) -> list[bytes]:
    """A whole answer of text, in these pieces."""
    begun = frame({"role": "assistant", "content": ""})
    return as_sse([begun, *map(text_frame, texts), *ending()], done=True)


def handle(received: Received) -> Answer:
    """A server that works: answers, and lists its models."""
    if received.method == "GET":
        return as_json({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "me"}]})
    return Answer(text_answer())
