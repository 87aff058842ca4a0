"""The Responses API as OpenAI's server speaks it, for the tests of its provider and of what all providers must do."""

from __future__ import annotations

from collections.abc import Iterable

from tests.llm.providers.chat_wire import MODEL, WORDS
from tests.support.llm_server import Answer, Received, as_json, as_sse

USAGE: dict[str, object] = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 4},
}


def events(*middle: dict[str, object], last: str = "completed", **more: object) -> list[dict[str, object]]:
    """A whole response, its events numbered."""
    begun: dict[str, object] = {"id": "resp_1/..", "model": MODEL, "usage": None, "status": "in_progress"}
    whole: list[dict[str, object]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *middle,
        {"type": f"response.{last}", "response": {**begun, "usage": USAGE, **more}},
    ]
    return [{**event, "sequence_number": place} for place, event in enumerate(whole)]


def words(texts: Iterable[str] = WORDS) -> list[dict[str, object]]:
    return [
        {"type": "response.output_text.delta", "delta": word, "item_id": "m", "output_index": 0, "content_index": 0}
        for word in texts
    ]


def stream(told: list[dict[str, object]]) -> list[bytes]:
    return as_sse(told, names=True)


def handle(received: Received) -> Answer:
    if received.path == "/v1/models":
        return as_json({"data": [{"id": MODEL}]})
    return Answer(stream(events(*words())))


def text_answer(texts: Iterable[str] = WORDS) -> list[bytes]:
    return stream(events(*words(texts)))
