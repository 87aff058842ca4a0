"""Answers that are whole, and say what nobody expects: usage at odd places, calls without ids, filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tests.llm.providers import anthropic_wire, chat_wire, responses_wire
from tests.llm.providers.fault_row import PLACES, Fault, Run, before, runs
from tests.llm.providers.faulty import Outcome, answered
from tests.llm.providers.wires import Wire
from tests.support.llm_server import Answer, as_sse

__all__ = ["content_faults"]


def content_faults() -> Iterator[Fault]:
    """All of them."""
    yield Fault("Content", "no usage is told", "", _counted(_without_usage))
    for place in PLACES:
        yield Fault("Content", "usage is told once", place, _counted(partial(_usage_at, place=place)))
    yield Fault("Content", "usage that cannot be", "", _counted(_odd_usage))
    for place in PLACES:
        yield Fault("Content", "the answer is filtered", place, runs(partial(_filtered, place=place)))
    for place in PLACES:
        yield Fault("Tool calls", "arguments that are no JSON", place, _calling(_with_bad(place)))
    for name, calls in _CALLS.items():
        yield Fault("Tool calls", name, "", _calling(calls))


# --------------------------------------------------------------------------------------------------------------- usage
def _counted(events: Callable[[Wire], list[bytes]]) -> Run:
    async def run(wire: Wire) -> Outcome:
        outcome = await answered(wire, Answer(events(wire)))
        told = outcome.usage.prompt, outcome.usage.output
        outcome.note = ", and its usage" if told == (12, 10) else "" if told == (None, None) else f", usage {told}"
        return outcome

    return run


def _without_usage(wire: Wire) -> list[bytes]:
    return [re.sub(rb'"usage": (\{(?:[^{}]|\{[^{}]*\})*\}|null)', b'"usage": null', event) for event in wire.events]


def _usage_at(wire: Wire, place: str) -> list[bytes]:
    """The usage in one event alone: one of the answer's own, where no other has any."""
    events, at = _without_usage(wire), before(wire, place)
    told: dict[str, object]
    if wire.name == "anthropic":
        if place == "first":
            return as_sse([anthropic_wire.start(output_tokens=10), *events[1:]], names=True)
        usage = {"input_tokens": 12, "output_tokens": 10}
        told = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    elif wire.name == "responses":
        usage = {"input_tokens": 12, "output_tokens": 10}
        told = {"type": "response.in_progress", "response": {"id": "resp_1/..", "usage": usage}}
    else:
        told = chat_wire.frame({"content": ""}, usage=chat_wire.USAGE)
    return [*events[:at], *as_sse([told], names=wire.name in {"responses", "anthropic"}), *events[at:]]


def _odd_usage(wire: Wire) -> list[bytes]:
    """Numbers that are none, and some below zero."""
    odd = b'"usage": {"prompt_tokens": -3, "completion_tokens": -1, "input_tokens": -3, "output_tokens": -1}'
    return [re.sub(rb'"usage": \{(?:[^{}]|\{[^{}]*\})*\}', odd, event) for event in wire.events]


# ---------------------------------------------------------------------------------------------------------------- ends
def _filtered(wire: Wire, place: str) -> Answer:
    texts = {"first": (), "middle": chat_wire.WORDS[:5], "last": chat_wire.WORDS}[place]
    if wire.name == "anthropic":
        deltas = [{"type": "text_delta", "text": text} for text in texts]
        content = [anthropic_wire.block(0, {"type": "text", "text": ""}, deltas)] if texts else []
        return Answer(anthropic_wire.message(*content, reason="refusal"))
    if wire.name == "responses":
        why = {"reason": "content_filter"}
        said = responses_wire.words(texts)
        return Answer(responses_wire.stream(responses_wire.events(*said, last="incomplete", incomplete_details=why)))
    return Answer(as_sse([*map(chat_wire.text_frame, texts), *chat_wire.ending("content_filter")], done=True))


# --------------------------------------------------------------------------------------------------------------- calls
@dataclass(frozen=True)
class _Call:
    """A call of a tool on a wire.

    Args:
        place: The index that it is told under, if any.
        id: Its id, if any.
        arguments: As the model writes them.
    """

    place: int | None
    id: str | None
    arguments: str = '{"a": 1}'


def _several(count: int = 3) -> list[_Call]:
    return [_Call(place, f"call_{place}", f'{{"a": {place}}}') for place in range(count)]


def _with_bad(place: str) -> list[_Call]:
    at = PLACES.index(place)
    return [replace(call, arguments='{"a": oops') if number == at else call for number, call in enumerate(_several())]


_CALLS: dict[str, list[_Call]] = {
    "arguments that are JSON and no object": [replace(call, arguments="[1]") for call in _several()],
    "no arguments": [replace(call, arguments="") for call in _several()],
    "one index for all": [replace(call, place=0) for call in _several()],
    "indexes that begin anywhere": [replace(call, place=7 - number) for number, call in enumerate(_several())],
    "no ids": [replace(call, id=None) for call in _several()],
    "one id for all": [replace(call, id="call") for call in _several()],
    "no indexes": [replace(call, place=None) for call in _several()],
    "neither ids nor indexes": [replace(call, place=None, id=None) for call in _several()],
    "one index for all, and no ids": [replace(call, place=0, id=None) for call in _several()],
}


def _calling(calls: Sequence[_Call]) -> Run:
    async def run(wire: Wire) -> Outcome:
        outcome = await answered(wire, Answer(_calls(wire, calls)))
        told, wanted = [call.arguments for call in outcome.calls], [call.arguments for call in calls]
        ids = [call.id for call in outcome.calls]
        assert {call.name for call in outcome.calls} <= {"add"}
        assert len(set(ids)) == len(ids)
        assert all(ids)
        outcome.note = "" if told == wanted else f": {told}"
        return outcome

    return run


def _calls(wire: Wire, calls: Sequence[_Call]) -> list[bytes]:
    """An answer that is these calls of a tool, all of the same."""
    if wire.name == "anthropic":
        return _messages_calls(calls)
    if wire.name == "responses":
        return _responses_calls(calls)
    frames = [chat_wire.call_frame(call.place, call.id, name="add", arguments=call.arguments) for call in calls]
    return as_sse([*frames, *chat_wire.ending("tool_calls")], done=True)


def _messages_calls(calls: Sequence[_Call]) -> list[bytes]:
    events: list[dict[str, object]] = []
    for call in calls:
        content: dict[str, object] = {"type": "tool_use", "id": call.id, "name": "add", "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in _halves(call.arguments)]
        events += anthropic_wire.block(call.place, content, deltas)
    return anthropic_wire.message(events, reason="tool_use")


def _responses_calls(calls: Sequence[_Call]) -> list[bytes]:
    told: list[dict[str, object]] = []
    for call in calls:
        item = {"type": "function_call", "id": None, "call_id": call.id, "name": "add", "arguments": ""}
        index = {} if call.place is None else {"output_index": call.place}
        told.append({"type": "response.output_item.added", "item": item, **index})
        kind = "response.function_call_arguments.delta"
        pieces: list[dict[str, object]] = [{"type": kind, "delta": piece, **index} for piece in _halves(call.arguments)]
        told += pieces
        done = {**item, "arguments": call.arguments}
        told.append({"type": "response.output_item.done", "item": done, **index})
    return responses_wire.stream(responses_wire.events(*told))


def _halves(text: str) -> list[str]:
    half = len(text) // 2
    return [piece for piece in (text[:half], text[half:]) if piece]
