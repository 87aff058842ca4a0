"""The framework's response handler and text stream over a hook, as its agents' own tests build them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.compat.events import ResponseEventAdapter
from sentient_cli.compat.identity import Identity
from sentient_cli.compat.protocols import Hook
from sentient_cli.compat.responding import FrameworkResponse, FrameworkStream
from sentient_cli.compat.vocabulary import vocabulary
from sentient_cli.runtime.chunks import ChunkEncoder
from sentient_cli.runtime.events import DoneEvent, Event, encode_event
from sentient_cli.runtime.response import Response, ResponseStream

__all__ = ["DefaultResponseHandler", "DefaultTextStream"]

_ids = SystemIds(SystemClock())


class _HookSink:
    """Passes events on to a hook, in order."""

    def __init__(self, source: str, hook: Hook) -> None:
        self.closed = False
        self._source = source
        self._hook = hook
        self._waiting: deque[bytes] = deque()
        self._turn = asyncio.Lock()

    def emit(self, event: Event) -> None:
        self.emit_encoded(encode_event(event))

    def emit_encoded(self, data: bytes) -> None:
        self._waiting.append(data)

    def chunk_writer(self, encoder: ChunkEncoder) -> Callable[[str], bool]:
        def write(text: str) -> bool:
            self.emit_encoded(encoder.encode(_ids.ulid_text().encode(), text))
            return True

        return write

    async def flow(self) -> None:
        async with self._turn:
            while self._waiting:
                await self._hook.emit(ResponseEventAdapter.validate_json(self._waiting.popleft()))

    def late(self) -> None:
        pass  # whoever wrote is told by the error

    def complete(self) -> None:
        self.closed = True
        self.emit(DoneEvent(id=_ids.ulid_text(), source=self._source))


class DefaultResponseHandler(FrameworkResponse):
    """A response whose events go to a hook.

    Args:
        source: Its id is the ``source`` of the events.
        hook: Takes the events.

    Example:
        >>> from sentient_cli.compat.hook import DefaultHook
        >>> async def main() -> str:
        ...     queue: asyncio.Queue[object] = asyncio.Queue()
        ...     handler = DefaultResponseHandler(Identity(id="test", name="Test"), DefaultHook(queue))
        ...     await handler.emit_text_block("PLAN", "Hello")
        ...     return queue.get_nowait().content
        >>> asyncio.run(main())
        'Hello'
    """

    __slots__ = ("_sink",)

    def __init__(self, source: Identity, hook: Hook) -> None:
        self._sink = _HookSink(source.id, hook)
        super().__init__(Response(self._sink, source.id, _ids), vocabulary())

    async def complete(self) -> None:
        """End the response: open streams are completed, then the hook is told. May be called twice."""
        await super().complete()
        await self._sink.flow()


class _Named(SystemIds):
    """Gives one stream the id that was chosen for it."""

    def __init__(self, stream_id: str) -> None:
        super().__init__(SystemClock())
        self._stream_id = stream_id

    def stream_id(self) -> str:
        return self._stream_id


class DefaultTextStream(FrameworkStream):
    """A text stream whose chunks go to a hook.

    Args:
        event_source: Its id is the ``source`` of the chunks.
        event_name: What the client shows the text under.
        stream_id: Marks the chunks.
        hook: Takes the chunks.
    """

    __slots__ = ()

    def __init__(self, event_source: Identity, event_name: str, stream_id: str, hook: Hook) -> None:
        sink = _HookSink(event_source.id, hook)
        super().__init__(ResponseStream(sink, event_source.id, _Named(stream_id), event_name), vocabulary())
