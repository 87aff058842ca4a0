"""What happened in one run of an agent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, TypeVar, overload

import msgspec

from sentient_cli.errors import RunError
from sentient_cli.runtime.events import (
    DoneEvent,
    ErrorContent,
    ErrorEvent,
    Event,
    JsonEvent,
    JsonValue,
    TextBlockEvent,
    decode_event,
)
from sentient_cli.runtime.run import Outcome
from sentient_cli.runtime.session import Session
from sentient_cli.runtime.state import StateKey
from sentient_cli.runtime.transcript import answer_text
from sentient_cli.store.entry import LogEntry

__all__ = ["AgentRun", "events_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class AgentRun:
    """What happened in one run of an agent.

    Args:
        prompt: What was asked.
        session: The session that it was asked in.
        entries: The whole log.
        events: What a client receives, ``done`` at the end.
        outcome: ``done``, ``error``, ``cancelled`` or ``deadline``.
        failure: What the agent raised, if it did.

    Example:
        >>> from sentient_cli import Query, Response
        >>> from sentient_cli.testing import run_agent_sync
        >>> async def answer(session: Session, query: Query, response: Response) -> None:
        ...     await response.json("SOURCES", {"results": ["Atlas"]})
        ...     await response.text_block("ANSWER", "Rome")
        >>> run = run_agent_sync(answer, "What is the capital of Italy?")
        >>> run.outcome, run.names, run.text("ANSWER"), run.json("SOURCES")
        ('done', ('SOURCES', 'ANSWER'), 'Rome', {'results': ['Atlas']})
    """

    prompt: str
    session: Session
    entries: tuple[LogEntry, ...]
    events: tuple[Event, ...]
    outcome: Outcome
    failure: BaseException | None = None

    def text(self, event_name: str | None = None) -> str:
        """The text that a reader would see: of the streams where there are any, else of the text blocks.

        Args:
            event_name: Only the text under this name.
        """
        return answer_text(self.events, event_name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the events, each once, in the order of their first use; without ``done``."""
        return tuple(dict.fromkeys(event.event_name for event in self.events if not isinstance(event, DoneEvent)))

    @property
    def blocks(self) -> tuple[TextBlockEvent, ...]:
        """The text blocks."""
        return tuple(event for event in self.events if isinstance(event, TextBlockEvent))

    @property
    def errors(self) -> tuple[ErrorContent, ...]:
        """The errors that the client was told of, the agent's own and that of the end."""
        return tuple(event.content for event in self.events if isinstance(event, ErrorEvent))

    @overload
    def json(self, event_name: str) -> dict[str, JsonValue]: ...
    @overload
    def json(self, event_name: str, kind: type[T]) -> T: ...
    def json(self, event_name: str, kind: type[T] | None = None) -> dict[str, JsonValue] | T:
        """The content of the one JSON event of this name, as it is or as a value of a type.

        Args:
            event_name: What the client shows it under.
            kind: A pydantic model, a dataclass, a ``TypedDict``, or what JSON has.

        Raises:
            LookupError: there is none, or there are several.
            ValueError: the content does not fit the type; pydantic's ``ValidationError``.
        """
        found = [event for event in self.events if isinstance(event, JsonEvent) and event.event_name == event_name]
        if len(found) != 1:
            names = ", ".join(self.names) or "none"
            raise LookupError(f"there are {len(found)} JSON events of the name {event_name!r}; names: {names}")
        if kind is None:
            return found[0].content
        from pydantic import TypeAdapter  # noqa: PLC0415 - only where it is asked for

        return TypeAdapter(kind).validate_json(msgspec.json.encode(found[0].content))

    def state(self, key: StateKey[T]) -> T:
        """What the agent remembers of the session under a key, after the run.

        Args:
            key: The one that the agent declared.

        Raises:
            StateError: it does not fit the type.
        """
        reading = self.session.state.get(key)
        try:
            reading.send(None)  # what is in memory is there at once
        except StopIteration as done:
            value: T = done.value
            return value
        raise LookupError("the state is not in memory")

    def raise_for_outcome(self) -> Self:
        """Return the run if it was done, else raise what the agent raised.

        Raises:
            RunError: the run was cancelled or reached its deadline.
            BaseException: what the agent raised.
        """
        if self.failure is not None:
            raise self.failure
        if self.outcome != "done":
            said = "; ".join(error.error_message for error in self.errors)
            raise RunError(f"The outcome of the run is {self.outcome!r}", why=said)
        return self


class _End(msgspec.Struct):
    id: str
    source: str


def events_of(entries: Iterable[LogEntry]) -> tuple[Event, ...]:
    """What a client receives of a log."""
    events: list[Event] = []
    for entry in entries:
        if entry.type == "event":
            events.append(decode_event(entry.data))
        elif entry.type == "run.finished":
            end = msgspec.json.decode(entry.data, type=_End)
            events.append(DoneEvent(id=end.id, source=end.source))
    return tuple(events)
