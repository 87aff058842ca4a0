"""From a stream of the LLM layer into text streams of a response."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from sentient_cli.errors import AnswerRestartedError
from sentient_cli.runtime.events import MetadataValue
from sentient_cli.runtime.sink import TextStream

__all__ = ["pipe"]

Metadata: TypeAlias = Mapping[str, MetadataValue]


class _Out(Protocol):
    """A text stream of a response."""

    async def write(self, text: str, *, metadata: Metadata | None = None) -> None: ...

    def describe(self, metadata: Metadata) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


async def pipe(open_stream: Callable[[str], _Out], event_name: str, stream: TextStream) -> str:
    """Write a stream's text; when it begins anew, the text stream ends and another one is opened.

    Args:
        open_stream: Opens a text stream under a name.
        event_name: The name.
        stream: What is read; it is closed at the end, whatever happens.

    Returns:
        The text of the last one.

    Raises:
        TypeError: it is no such stream.
    """
    if not (hasattr(stream, "__aiter__") and hasattr(stream, "metadata")):
        raise TypeError(
            f"stream_llm takes what llm.stream() or a stream of tools gives, and not {type(stream).__name__}; "
            "write other text with `response.stream`"
        )
    try:
        while True:
            with contextlib.suppress(AnswerRestartedError):
                return await _write(open_stream(event_name), stream)
    finally:
        await stream.aclose()


async def _write(opened: _Out, stream: TextStream) -> str:
    pieces: list[str] = []
    async with opened as out:
        try:
            async for text in stream:
                await out.write(text, metadata={**stream.metadata, "is_first_chunk": not pieces})
                pieces.append(text)
        except AnswerRestartedError:
            out.describe({**stream.metadata, "finish_reason": "restarted"})
            raise
        out.describe(stream.metadata)
    return "".join(pieces)
