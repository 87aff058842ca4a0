"""What an agent writes its answer to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self, overload

from sentient_cli.clock import Ids
from sentient_cli.errors import ResponseClosedError
from sentient_cli.runtime.contents import check_code, check_text, json_object
from sentient_cli.runtime.events import (
    ErrorContent,
    ErrorEvent,
    EventMetadata,
    JsonEvent,
    MetadataValue,
    TextBlockEvent,
    TextChunkEvent,
    check_event_name,
    check_metadata,
)
from sentient_cli.runtime.piping import pipe
from sentient_cli.runtime.sink import EventSink, TextStream
from sentient_cli.runtime.writers import ChunkWriters

__all__ = ["EventSink", "Response", "ResponseStream", "TextStream"]

LONG_TEXT = 1024 * 1024
"""Characters from which on a chunk is looked at more closely: it may be too long."""

Metadata = Mapping[str, MetadataValue]


class Response:
    """The answer to one query, event by event.

    Every method that emits returns once the event is in the run's log, and waits only while the client that asked
    is too far behind. The framework's own names (``emit_text_block``, ``emit_json``, ``create_text_stream``,
    ``emit_error``) are the same methods.

    Args:
        sink: Takes the events.
        source: The ``source`` of the events: the session's processor id.
        ids: Gives the ids of events and streams.

    Example:
        >>> from sentient_cli.testing import RecordingResponse
        >>> async def answer(response: Response) -> None:
        ...     await response.json("SOURCES", {"results": ["Atlas"]})
        ...     async with response.stream("ANSWER") as stream:
        ...         await stream.write("Rome")
        >>> response = RecordingResponse()
        >>> asyncio.run(answer(response))
        >>> response.text(), [event.event_name for event in response.events]
        ('Rome', ['SOURCES', 'ANSWER', 'ANSWER'])
    """

    __slots__ = ("_completed", "_ids", "_sink", "_source", "_streams")

    def __init__(self, sink: EventSink, source: str, ids: Ids) -> None:
        self._sink = sink
        self._source = source
        self._ids = ids
        self._streams: dict[str, ResponseStream] = {}
        self._completed = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be emitted."""
        return self._completed or self._sink.closed

    async def text_block(self, event_name: str, content: str, *, metadata: Metadata | None = None) -> None:
        """Emit a whole piece of text.

        Args:
            event_name: What the client shows it under.
            content: The text.
            metadata: At most 16 pairs of plain values.

        Raises:
            ResponseClosedError: the response is complete.
            InvalidEventError: a name, text or metadata that cannot go on the wire.
        """
        await self._stay_open()
        self._sink.emit(
            TextBlockEvent(
                event_name=check_event_name(event_name),
                id=self._ids.ulid_text(),
                source=self._source,
                metadata=check_metadata(metadata),
                content=check_text(content),
            )
        )
        await self._sink.flow()

    async def json(self, event_name: str, data: Mapping[str, object], *, metadata: Metadata | None = None) -> None:
        """Emit a JSON object.

        Args:
            event_name: What the client shows it under.
            data: A mapping; its values are anything that JSON can hold. Keys that are numbers become strings, and
                sets become sorted lists.
            metadata: At most 16 pairs of plain values.

        Raises:
            ResponseClosedError: the response is complete.
            InvalidEventError: it is not a JSON object, or the name or metadata cannot go on the wire.
        """
        await self._stay_open()
        self._sink.emit(
            JsonEvent(
                event_name=check_event_name(event_name),
                id=self._ids.ulid_text(),
                source=self._source,
                metadata=check_metadata(metadata),
                content=json_object(data),
            )
        )
        await self._sink.flow()

    async def error(
        self,
        error_message: str,
        error_code: int = 500,
        details: Mapping[str, object] | None = None,
        *,
        metadata: Metadata | None = None,
    ) -> None:
        """Emit an error. It does not end the response.

        Args:
            error_message: For the reader.
            error_code: An HTTP status code wherever one fits.
            details: Anything more, as a JSON object.
            metadata: At most 16 pairs of plain values.

        Raises:
            ResponseClosedError: the response is complete.
            InvalidEventError: the details are not a JSON object, or the metadata cannot go on the wire.
        """
        await self._stay_open()
        self.emit_error_now(error_message, error_code, details, check_metadata(metadata))
        await self._sink.flow()

    def emit_error_now(
        self,
        error_message: str,
        error_code: int,
        details: Mapping[str, object] | None = None,
        metadata: EventMetadata | None = None,
    ) -> None:
        """Emit an error without waiting for the reader; how a run says that it failed."""
        content = ErrorContent(
            error_message=check_text(error_message),
            error_code=check_code(error_code),
            details=None if details is None else json_object(details),
        )
        self._sink.emit(ErrorEvent(id=self._ids.ulid_text(), source=self._source, metadata=metadata, content=content))

    def stream(self, event_name: str) -> ResponseStream:
        """Begin a text stream.

        Use it as a context manager, which completes it at the end.

        Args:
            event_name: What the client shows the text under.

        Raises:
            ResponseClosedError: the response is complete.
            InvalidEventError: the name cannot go on the wire.
        """
        self._check_open()
        stream = ResponseStream(self._sink, self._source, self._ids, check_event_name(event_name))
        self._streams[stream.id] = stream
        return stream

    @overload
    async def stream_llm(self, event_name: TextStream, stream: None = None) -> str: ...
    @overload
    async def stream_llm(self, event_name: str, stream: TextStream) -> str: ...
    async def stream_llm(self, event_name: str | TextStream, stream: TextStream | None = None) -> str:
        """Pipe a stream of the LLM layer into a text stream, with what is known about it as metadata.

        An answer that begins anew ends its text stream, with ``restarted`` as the finish reason, and gets another.

        Args:
            event_name: What the client shows the text under; with the stream alone it is ``text_chunk``.
            stream: The stream; it is closed at the end, whatever happens.

        Returns:
            The whole text.
        """
        if isinstance(event_name, str):
            if stream is None:
                raise TypeError("stream_llm needs a stream beside the name of its events")
            return await pipe(self.stream, event_name, stream)
        return await pipe(self.stream, "text_chunk", event_name)

    async def respond(self, event_name: str, response: str | Mapping[str, object]) -> None:
        """Emit one event as the whole response.

        Raises:
            ResponseClosedError: the response is complete.
            InvalidEventError: it cannot go on the wire.
        """
        if isinstance(response, str):
            await self.text_block(event_name, response)
        else:
            await self.json(event_name, response)
        await self.complete()

    async def complete(self) -> None:
        """End the response: open streams are completed, then the client is told. May be called twice."""
        if not self.is_complete:
            self.close_streams()
            self._completed = True
            self._sink.complete()

    def close_streams(self) -> None:
        """Complete the streams that are still open."""
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.close_now()

    emit_text_block = text_block
    emit_json = json
    emit_error = error
    create_text_stream = stream

    async def _stay_open(self) -> None:
        if self.is_complete:
            await asyncio.sleep(0)  # an agent that swallows the error and goes on must not hold the loop
            self._check_open()

    def _check_open(self) -> None:
        if self.is_complete:
            self._sink.late()
            raise ResponseClosedError(
                "The response is complete",
                why="Something was emitted after complete(), after the run was cancelled, or after its deadline",
                fix="Emit everything before the response ends",
            )


class ResponseStream:
    """A text stream within a response.

    Made by `Response.stream`, not by hand. One stream's chunks stay in order; several streams may interleave.

    Example:
        >>> from sentient_cli.testing import RecordingResponse
        >>> async def answer(response: Response) -> None:
        ...     async with response.stream("LEFT") as left, response.stream("RIGHT") as right:
        ...         for word in ("one ", "two"):
        ...             await left.write(word)
        ...             await right.write(word.upper())
        >>> response = RecordingResponse()
        >>> asyncio.run(answer(response))
        >>> response.text("LEFT"), response.text("RIGHT")
        ('one two', 'ONE TWO')
    """

    __slots__ = ("_closing_metadata", "_event_name", "_id", "_ids", "_is_complete", "_sink", "_source", "_writers")

    def __init__(self, sink: EventSink, source: str, ids: Ids, event_name: str) -> None:
        self._sink = sink
        self._source = source
        self._ids = ids
        self._event_name = event_name
        self._id = ids.stream_id()
        self._writers = ChunkWriters(sink, event_name, source, self._id)
        self._is_complete = False
        self._closing_metadata: EventMetadata | None = None

    @property
    def id(self) -> str:
        """The ``stream_id`` of the chunks."""
        return self._id

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be written."""
        return self._is_complete or self._sink.closed

    async def write(self, text: str, *, metadata: Metadata | None = None) -> None:
        """Send a piece of the text.

        Args:
            text: The piece; an empty one is sent as it is.
            metadata: At most 16 pairs of plain values.

        Raises:
            ResponseClosedError: the stream, or the whole response, is complete.
            InvalidEventError: the text or metadata cannot go on the wire.
        """
        writers = self._writers
        write = writers.plain if metadata is None else writers.described(metadata)
        if write is not None and type(text) is str and not self.is_complete and len(text) < LONG_TEXT:
            if write(text):
                await self._sink.flow()
        else:
            await self._write_other(text, metadata)

    async def _write_other(self, text: str, metadata: Metadata | None) -> None:
        if self.is_complete:
            await asyncio.sleep(0)  # as in Response
        self._check_open()
        checked = check_metadata(metadata)
        self._sink.emit(self._chunk(check_text(text), checked))
        self._writers.note(checked)
        await self._sink.flow()

    def _check_open(self) -> None:
        if self.is_complete:
            if self._sink.closed:
                self._sink.late()
            raise ResponseClosedError(
                f"The text stream {self._event_name!r} is complete",
                fix="Write before the stream or the response ends, or begin another stream",
            )

    def _chunk(self, text: str, metadata: EventMetadata | None, *, last: bool = False) -> TextChunkEvent:
        return TextChunkEvent(
            event_name=self._event_name,
            id=self._ids.ulid_text(),
            source=self._source,
            metadata=metadata,
            stream_id=self._id,
            is_complete=last,
            content=text,
        )

    async def emit_chunk(self, chunk: str) -> Self:
        """Send a piece of the text, under the public framework's name, and return the stream."""
        if type(chunk) is str and not self.is_complete and len(chunk) < LONG_TEXT:
            if self._writers.plain(chunk):
                await self._sink.flow()
        else:
            await self.write(chunk)
        return self

    async def complete(self) -> None:
        """End the stream. May be called twice."""
        if not self.is_complete:
            self.close_now()
            await self._sink.flow()

    def close_now(self) -> None:
        """End the stream without waiting for the reader."""
        if self.is_complete:
            return
        self._is_complete = True
        self._sink.emit(self._chunk(" ", self._closing_metadata, last=True))

    def describe(self, metadata: Metadata) -> None:
        """What the closing chunk says about the stream.

        Args:
            metadata: At most 16 pairs of plain values.

        Raises:
            InvalidEventError: it cannot go on the wire.
        """
        self._closing_metadata = check_metadata(metadata)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self.complete()
        else:
            self.close_now()
