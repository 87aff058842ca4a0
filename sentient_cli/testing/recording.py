"""A response that remembers what was written to it."""

from __future__ import annotations

from collections.abc import Callable

from sentient_cli.clock import Ids
from sentient_cli.runtime.chunks import ChunkEncoder
from sentient_cli.runtime.events import DoneEvent, Event, decode_event, encode_event
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.transcript import answer_text
from sentient_cli.testing.time import SequentialIds

__all__ = ["RecordingResponse"]


class _Recorder:
    def __init__(self, source: str, ids: Ids) -> None:
        self.events: list[Event] = []
        self.closed = False
        self._source = source
        self._ids = ids

    def emit(self, event: Event) -> None:
        # What cannot go on the wire fails here as it would there.
        self.emit_encoded(encode_event(event))

    def emit_encoded(self, data: bytes) -> None:
        self.events.append(decode_event(data))

    def chunk_writer(self, encoder: ChunkEncoder) -> Callable[[str], bool]:
        def write(text: str) -> bool:
            self.emit_encoded(encoder.encode(self._ids.ulid_text().encode(), text))
            return False

        return write

    async def flow(self) -> None:
        pass

    def late(self) -> None:
        pass  # whoever wrote is told by the error

    def complete(self) -> None:
        self.closed = True
        self.events.append(DoneEvent(id=self._ids.ulid_text(), source=self._source))


class RecordingResponse(Response):
    """A response for testing code that writes to one, without an agent or a run.

    Args:
        source: The ``source`` of the events.
        ids: Where ids come from; `SequentialIds` unless given.

    Example:
        >>> import asyncio
        >>> response = RecordingResponse()
        >>> asyncio.run(response.text_block("PLAN", "Look it up"))
        >>> response.text("PLAN"), response.events[0].id
        ('Look it up', '01KDVDNA000000000000000001')
    """

    __slots__ = ("_recorder",)

    def __init__(self, source: str = "test", *, ids: Ids | None = None) -> None:
        ids = ids or SequentialIds()
        self._recorder = _Recorder(source, ids)
        super().__init__(self._recorder, source, ids)

    @property
    def events(self) -> tuple[Event, ...]:
        """What was written, in order."""
        return tuple(self._recorder.events)

    def text(self, event_name: str | None = None) -> str:
        """The text that a reader would see: of the streams where there are any, else of the text blocks.

        Args:
            event_name: Only the text under this name.
        """
        return answer_text(self.events, event_name)
