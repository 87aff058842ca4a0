"""What a response stands between: a sink that takes its events, and streams of text that are piped into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from sentient_cli.runtime.chunks import ChunkEncoder
from sentient_cli.runtime.events import Event, MetadataValue

__all__ = ["EventSink", "TextStream"]


class EventSink(Protocol):
    """Where a response puts its events: the run, or a recorder in a test."""

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        ...

    def emit(self, event: Event) -> None:
        """Take one event.

        Raises:
            InvalidEventError: it cannot go on the wire.
            RunOverflowError: nobody reads and the log is full.
        """
        ...

    def emit_encoded(self, data: bytes) -> None:
        """Take one event as its wire JSON; otherwise like `emit`."""
        ...

    def chunk_writer(self, encoder: ChunkEncoder) -> Callable[[str], bool]:
        """A function that takes the chunks of one text stream, and returns whether to wait for `flow`.

        Args:
            encoder: That of the stream.
        """
        ...

    async def flow(self) -> None:
        """Wait while the reader is too far behind, and let others have their turn."""
        ...

    def complete(self) -> None:
        """The agent has said all it has to say."""
        ...

    def late(self) -> None:
        """Something was emitted after the end, and is refused."""
        ...


class TextStream(Protocol):
    """A stream of text with facts about it; the streams of the LLM layer are such."""

    @property
    def metadata(self) -> Mapping[str, MetadataValue]:
        """What is known so far, such as provider and model."""
        ...

    def __aiter__(self) -> AsyncIterator[str]: ...

    async def aclose(self) -> None:
        """Stop, and free what the stream holds."""
        ...
