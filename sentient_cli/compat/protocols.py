"""The framework's protocols, for annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from sentient_cli.compat.events import DEFAULT_ERROR_CODE, Event

__all__ = ["Hook", "ResponseHandler", "StreamEventEmitter"]

_Chunk = TypeVar("_Chunk", contravariant=True)  # noqa: PLC0105 - the letter does not matter


class Hook(Protocol):
    """Where events go."""

    async def emit(self, event: Event) -> None:
        """Take an event."""
        ...


class StreamEventEmitter(Protocol[_Chunk]):
    """A stream that an agent writes to."""

    @property
    def id(self) -> str:
        """The ``stream_id`` of the chunks."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be written."""
        ...

    async def emit_chunk(self, chunk: _Chunk) -> object:
        """Send a piece; returns the stream."""
        ...

    async def complete(self) -> None:
        """End the stream."""
        ...


class ResponseHandler(Protocol):
    """What an agent writes its answer to."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be emitted."""
        ...

    async def respond(self, event_name: str, response: Mapping[str, object] | str) -> None:
        """Emit one event as the whole response."""
        ...

    async def emit_json(self, event_name: str, data: Mapping[str, object]) -> None:
        """Emit a JSON object."""
        ...

    async def emit_text_block(self, event_name: str, content: str) -> None:
        """Emit a whole piece of text."""
        ...

    def create_text_stream(self, event_name: str) -> StreamEventEmitter[str]:
        """Begin a text stream."""
        ...

    async def emit_error(
        self, error_message: str, error_code: int = DEFAULT_ERROR_CODE, details: Mapping[str, object] | None = None
    ) -> None:
        """Emit an error."""
        ...

    async def complete(self) -> None:
        """End the response."""
        ...
