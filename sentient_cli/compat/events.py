"""The framework's event models: Sentient Chat 1.0 as Pydantic models, with the same JSON as on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, Field, TypeAdapter

from sentient_cli.compat.identity import UlidField, new_ulid

__all__ = [
    "DEFAULT_ERROR_CODE",
    "ERROR",
    "AtomicEvent",
    "BaseEvent",
    "BaseEventType",
    "DocumentEvent",
    "DoneEvent",
    "ErrorContent",
    "ErrorEvent",
    "Event",
    "EventContentType",
    "EventMetadata",
    "ResponseEvent",
    "ResponseEventAdapter",
    "ResponseEventListAdapter",
    "StreamEvent",
    "StringKeyDict",
    "TextBlockEvent",
    "TextChunkEvent",
]

ERROR: Final = "error"
DEFAULT_ERROR_CODE: Final = 500

EventMetadata: TypeAlias = Mapping[str, str | int | float | bool | list[str]]
StringKeyDict: TypeAlias = Mapping[str, object]


class BaseEventType(str, Enum):  # noqa: UP042 - the framework's has this str()
    """Whether an event stands alone or is a piece of a stream."""

    ATOMIC = "atomic"
    CHUNKED = "chunked"


class EventContentType(str, Enum):  # noqa: UP042 - as above
    """What an event holds."""

    JSON = "atomic.json"
    TEXTBLOCK = "atomic.textblock"
    TEXT_STREAM = "chunked.text"
    ERROR = "atomic.error"
    DONE = "atomic.done"

    @property
    def base_type(self) -> BaseEventType:
        """Whether such an event stands alone."""
        return BaseEventType(self.value.partition(".")[0])


class Event(BaseModel):
    """Anything that is emitted."""

    content_type: EventContentType
    event_name: str


class BaseEvent(Event):
    """An event with an id and a source."""

    schema_version: str = "1.0"
    id: UlidField = Field(default_factory=new_ulid)
    source: str
    metadata: EventMetadata | None = None


class AtomicEvent(BaseEvent):
    """An event that stands alone."""


class StreamEvent(BaseEvent):
    """A piece of a stream."""

    stream_id: str
    is_complete: bool


class DocumentEvent(AtomicEvent):
    """A JSON object."""

    content_type: Literal[EventContentType.JSON] = EventContentType.JSON  # type: ignore[mutable-override]
    content: Mapping[str, object]


class TextBlockEvent(AtomicEvent):
    """A whole piece of text."""

    content_type: Literal[EventContentType.TEXTBLOCK] = EventContentType.TEXTBLOCK  # type: ignore[mutable-override]
    content: str


class TextChunkEvent(StreamEvent):
    """A piece of a text stream."""

    content_type: Literal[EventContentType.TEXT_STREAM] = EventContentType.TEXT_STREAM  # type: ignore[mutable-override]
    content: str


class ErrorContent(BaseModel):
    """What went wrong."""

    error_message: str
    error_code: int = DEFAULT_ERROR_CODE
    details: Mapping[str, object] | None = None


class ErrorEvent(AtomicEvent):
    """An error."""

    content_type: Literal[EventContentType.ERROR] = EventContentType.ERROR  # type: ignore[mutable-override]
    event_name: str = Field(default=ERROR, frozen=True)
    content: ErrorContent


class DoneEvent(AtomicEvent):
    """The end of a response."""

    content_type: Literal[EventContentType.DONE] = EventContentType.DONE  # type: ignore[mutable-override]
    event_name: str = "done"


ResponseEvent: TypeAlias = Annotated[
    DocumentEvent | TextBlockEvent | TextChunkEvent | ErrorEvent | DoneEvent, Field(discriminator="content_type")
]

ResponseEventAdapter: TypeAdapter[ResponseEvent] = TypeAdapter(ResponseEvent)
ResponseEventListAdapter: TypeAdapter[list[ResponseEvent]] = TypeAdapter(list[ResponseEvent])
