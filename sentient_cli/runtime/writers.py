"""What writes the chunks of one text stream, with their metadata, for next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from sentient_cli.runtime.chunks import ChunkEncoder
from sentient_cli.runtime.events import EventMetadata, MetadataValue
from sentient_cli.runtime.sink import EventSink

__all__ = ["ChunkWriters"]

_SIMPLE: Final = frozenset({str, int, bool, float})


class ChunkWriters:
    """The writers of one text stream: of chunks without metadata, and of those that have what the one before had.

    Args:
        sink: Takes the chunks.
        event_name: That of the stream.
        source: That of its events.
        stream_id: Its id.
    """

    __slots__ = ("_before", "_event_name", "_sink", "_source", "_stream_id", "_write", "plain")

    def __init__(self, sink: EventSink, event_name: str, source: str, stream_id: str) -> None:
        self._sink = sink
        self._event_name = event_name
        self._source = source
        self._stream_id = stream_id
        self._before: EventMetadata | None = None
        self._write: Callable[[str], bool] | None = None
        self.plain: Callable[[str], bool] = sink.chunk_writer(ChunkEncoder(event_name, source, stream_id))
        """Takes a chunk without metadata, and returns whether to wait for `EventSink.flow`."""

    def note(self, metadata: EventMetadata | None) -> None:
        """A chunk was written in another way.

        Args:
            metadata: What it had, checked.
        """
        is_simple = metadata is not None and _SIMPLE.issuperset(map(type, metadata.values()))
        self._before = metadata if is_simple else None
        self._write = None

    def described(self, metadata: Mapping[str, MetadataValue]) -> Callable[[str], bool] | None:
        """As `plain`, for chunks with metadata; None: the one before did not have it, or nobody knows.

        Args:
            metadata: Not checked yet.
        """
        before = self._before
        if before is None or type(metadata) is not dict:
            return None
        # Types first: whether other values are equal may not be asked, and True equals 1.
        told = cast("EventMetadata", metadata)
        if [*map(type, told.values())] != [*map(type, before.values())] or told != before:
            return None
        if self._write is None:
            encoder = ChunkEncoder(self._event_name, self._source, self._stream_id, before)
            self._write = self._sink.chunk_writer(encoder)
        return self._write
