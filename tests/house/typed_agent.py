"""A user's program, for the type checkers: what the public names are to them."""

from __future__ import annotations

from typing import assert_type

from sentient_cli import (
    Agent,
    DoneEvent,
    ErrorEvent,
    Event,
    JsonEvent,
    JsonValue,
    Query,
    Response,
    Session,
    TextBlockEvent,
    TextChunkEvent,
    agent,
    decode_event,
    is_done,
    is_error,
    is_json,
    is_text_block,
    is_text_chunk,
)
from sentient_cli.testing import AgentRun, run_agent_sync


def hand_on(value: JsonValue) -> JsonValue:
    """What JSON holds goes wherever JSON is wanted."""
    return value


def content(event: Event) -> object:
    """Each guard narrows the union to one of its events."""
    if is_text_block(event):
        assert_type(event, TextBlockEvent)
        assert_type(event.content, str)
        return event.content
    if is_json(event):
        assert_type(event, JsonEvent)
        assert_type(event.content, dict[str, JsonValue])
        return hand_on(event.content)
    if is_text_chunk(event):
        assert_type(event, TextChunkEvent)
        return [event.stream_id, event.is_complete, event.content]
    if is_error(event):
        assert_type(event, ErrorEvent)
        assert_type(event.content.error_code, int)
        return event.content.error_message
    if is_done(event):
        assert_type(event, DoneEvent)
    return None


def by_pattern(event: Event) -> str:
    """The union is closed: a match over it needs no last case."""
    match event:
        case TextBlockEvent() | TextChunkEvent():
            return event.content
        case JsonEvent():
            return "json"
        case ErrorEvent():
            return event.content.error_message
        case DoneEvent():
            return "done"


class Echo(Agent):
    """An agent as a class."""

    async def assist(self, session: Session, query: Query, response: Response) -> None:
        assert_type(query.prompt, str)
        async with response.stream("ANSWER") as stream:
            await stream.write(query.prompt)


@agent
async def echo(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", query.prompt, metadata={"turns": len(session.interactions)})


def calls(wire: bytes) -> None:
    """What comes back."""
    assert_type(run_agent_sync(Echo(), "hi"), AgentRun)
    assert_type(run_agent_sync(echo, "hi").text(), str)
    assert_type(decode_event(wire), Event)
