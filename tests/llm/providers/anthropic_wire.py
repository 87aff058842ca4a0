"""Messages as Anthropic streams them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.support.llm_server import Answer, Received, as_json, as_sse

__all__ = ["MODEL", "block", "ending", "handle", "message", "start", "text_answer"]

MODEL = "claude-sonnet-5-5"
_WORDS = ("One ", "two ", "three ", "four ", "five ", "six ", "seven ", "eight ", "nine ", "ten ")


def start(**usage: object) -> dict[str, object]:
    told: dict[str, object] = {"input_tokens": 12, "output_tokens": 1, **usage}
    return {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": f"{MODEL}-20261001",
            "content": [],
            "stop_reason": None,
            "usage": told,
        },
    }


def block(
    index: int | None, content: Mapping[str, object], deltas: Iterable[Mapping[str, object]]
) -> list[dict[str, object]]:
    """A block of the content, from its beginning to its end; None: its events do not say which one it is."""
    place = {} if index is None else {"index": index}
    return [
        {"type": "content_block_start", **place, "content_block": content},
        *({"type": "content_block_delta", **place, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", **place},
    ]


def ending(reason: str = "end_turn", output: int = 10, **more: object) -> list[dict[str, object]]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None, **more},
            "usage": {"output_tokens": output},
        },
        {"type": "message_stop"},
    ]


def message(*blocks: Sequence[dict[str, object]], reason: str = "end_turn", details: object = None) -> list[bytes]:
    """A whole message of these blocks, in pieces of one event each."""
    events: list[dict[str, object]] = [start(), {"type": "ping"}]
    for content in blocks:
        events += content
    return as_sse([*events, *ending(reason, stop_details=details)], names=True)


def text_answer(texts: Iterable[str] = _WORDS) -> list[bytes]:
    """A whole message of text, in these pieces."""
    return message(block(0, {"type": "text", "text": ""}, ({"type": "text_delta", "text": text} for text in texts)))


def handle(received: Received) -> Answer:
    """A server that works: answers messages, lists models, counts tokens."""
    if received.path.startswith("/v1/models"):
        return as_json({"data": [{"id": MODEL, "display_name": "Claude Sonnet 5.5"}], "has_more": False})
    if received.path == "/v1/messages/count_tokens":
        return as_json({"input_tokens": len(received.body) // 4})
    return Answer(text_answer())
