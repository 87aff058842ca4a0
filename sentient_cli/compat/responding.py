"""A response as agents of the framework know it: its names, and errors that they can catch."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from sentient_cli.compat.vocabulary import Vocabulary
from sentient_cli.errors import InvalidEventError, ResponseClosedError
from sentient_cli.runtime.events import MetadataValue
from sentient_cli.runtime.response import Response, ResponseStream

__all__ = ["FrameworkResponse", "FrameworkStream"]

_Metadata = Mapping[str, MetadataValue]
_OURS = (ResponseClosedError, InvalidEventError)


class FrameworkStream:
    """A text stream whose errors are also the framework's.

    Args:
        stream: Does the work.
        words: The framework's classes.
    """

    __slots__ = ("_stream", "_words")

    def __init__(self, stream: ResponseStream, words: Vocabulary) -> None:
        self._stream = stream
        self._words = words

    @property
    def id(self) -> str:
        """The ``stream_id`` of the chunks."""
        return self._stream.id

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be written."""
        return self._stream.is_complete

    async def write(self, text: str, *, metadata: _Metadata | None = None) -> None:
        """Send a piece of the text; the errors are those of `ResponseStream.write`, and the framework's."""
        try:
            await self._stream.write(text, metadata=metadata)
        except _OURS as error:
            raise self._words.translate(error, self._words.stream_closed) from None

    async def emit_chunk(self, chunk: str) -> Self:
        """Send a piece of the text, and return the stream."""
        await self.write(chunk)
        return self

    async def complete(self) -> None:
        """End the stream. May be called twice."""
        await self._stream.complete()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stream.__aexit__(kind, error, traceback)


class FrameworkResponse:
    """A response whose errors are also the framework's.

    Args:
        response: Does the work.
        words: The framework's classes.
    """

    __slots__ = ("_response", "_words")

    def __init__(self, response: Response, words: Vocabulary) -> None:
        self._response = response
        self._words = words

    @property
    def is_complete(self) -> bool:
        """Whether nothing more can be emitted."""
        return self._response.is_complete

    async def emit_text_block(self, event_name: str, content: str, *, metadata: _Metadata | None = None) -> None:
        """Emit a whole piece of text; the errors are those of `Response.text_block`, and the framework's."""
        try:
            await self._response.text_block(event_name, content, metadata=metadata)
        except _OURS as error:
            raise self._words.translate(error, self._words.response_closed) from None

    async def emit_json(
        self, event_name: str, data: Mapping[str, object], *, metadata: _Metadata | None = None
    ) -> None:
        """Emit a JSON object; the errors are those of `Response.json`, and the framework's."""
        try:
            await self._response.json(event_name, data, metadata=metadata)
        except _OURS as error:
            raise self._words.translate(error, self._words.response_closed) from None

    async def emit_error(
        self,
        error_message: str,
        error_code: int = 500,
        details: Mapping[str, object] | None = None,
        *,
        metadata: _Metadata | None = None,
    ) -> None:
        """Emit an error, which does not end the response."""
        try:
            await self._response.error(error_message, error_code, details, metadata=metadata)
        except _OURS as error:
            raise self._words.translate(error, self._words.response_closed) from None

    def create_text_stream(self, event_name: str) -> FrameworkStream:
        """Begin a text stream; the errors are those of `Response.stream`, and the framework's."""
        try:
            return FrameworkStream(self._response.stream(event_name), self._words)
        except _OURS as error:
            raise self._words.translate(error, self._words.response_closed) from None

    async def respond(self, event_name: str, response: str | Mapping[str, object]) -> None:
        """Emit one event as the whole response."""
        if isinstance(response, str):
            await self.emit_text_block(event_name, response)
        else:
            await self.emit_json(event_name, response)
        await self.complete()

    async def complete(self) -> None:
        """End the response. May be called twice."""
        await self._response.complete()

    text_block = emit_text_block
    json = emit_json
    error = emit_error
    stream = create_text_stream
