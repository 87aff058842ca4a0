"""The chunks of a text stream as the live log holds them: the text and the id, and once for all what they share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

import msgspec

from sentient_cli.runtime.events import EventMetadata, TextChunkEvent, encode_json, encode_text, encode_texts

__all__ = ["ChunkEncoder", "ChunkEntry"]


class ChunkEncoder:
    """What the JSON of chunks of one text stream has in common: only the id and the text differ.

    Args:
        event_name: That of the stream.
        source: That of the events.
        stream_id: That of the stream.
        metadata: That of the chunks; checked before.

    Example:
        >>> ChunkEncoder("A", "s", "1").encode(b"01J", "Hi").endswith(b'"is_complete":false,"content":"Hi"}')
        True
    """

    __slots__ = ("_after_id", "_before_id", "_frame_before_id", "overhead", "stream_id")

    def __init__(self, event_name: str, source: str, stream_id: str, metadata: EventMetadata | None = None) -> None:
        self.stream_id: str = stream_id
        chunk = TextChunkEvent(
            event_name=event_name,
            id="\x00",
            source=source,
            metadata=metadata,
            stream_id=stream_id,
            is_complete=False,
            content="",
        )
        # A control character is escaped everywhere, and no name, which alone comes before the id, has one.
        self._before_id, _, after = encode_json(chunk).partition(b"\\u0000")
        self._after_id = after.removesuffix(b'""}')
        self._frame_before_id = b"\nevent: %b\ndata: %b" % (event_name.encode(), self._before_id)
        self.overhead: int = len(self._before_id) + len(self._after_id) + 29
        """Bytes of a chunk's JSON beside its text."""

    def encode(self, event_id: bytes, text: str) -> bytes:
        """The JSON of a chunk; the same bytes as `encode_event` makes.

        Args:
            event_id: Its id.
            text: Its content.
        """
        return b"".join((self._before_id, event_id, self._after_id, encode_text(text), b"}"))

    def frames(self, id_lines: Sequence[bytes], chunks: Sequence[ChunkEntry]) -> bytes:
        """The Server-Sent Events of chunks of this stream, put together without a step of Python for each.

        Args:
            id_lines: The ``id:`` line of each, without its end.
            chunks: As many chunks.
        """
        return b"".join(
            chain.from_iterable(
                zip(
                    id_lines,
                    repeat(self._frame_before_id),
                    [chunk.event_id for chunk in chunks],
                    repeat(self._after_id),
                    encode_texts([chunk.text for chunk in chunks]),
                    repeat(b"}\n\n"),
                    strict=False,
                )
            )
        )


class ChunkEntry(msgspec.Struct, frozen=True, gc=False):
    """An ``event`` entry that is a chunk of a text stream; a `LogEntry` whose data is made when it is looked at.

    Args:
        seq: Counts from 1 without gaps in a run.
        at: Nanoseconds since the epoch.
        encoder: That of the stream.
        event_id: The id of the event.
        text: Its content.
    """

    seq: int
    at: int
    encoder: ChunkEncoder
    event_id: bytes
    text: str

    @property
    def type(self) -> str:
        """``event``."""
        return "event"

    @property
    def data(self) -> bytes:
        """The JSON of the event."""
        return self.encoder.encode(self.event_id, self.text)
