"""Entries as Server-Sent Events of Sentient Chat 1.0: a pure function from entries to bytes.

A frame is ``id: <seq>``, ``event: <name>``, ``data: <json>`` and a blank line
(https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.runtime.events import DoneEvent, encode_event
from sentient_cli.store.entry import LogEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HEARTBEAT", "encode_entries"]

HEARTBEAT = b": still here\n"
"""One comment line. No blank line follows: the public client's reader would make an event of it and fail."""

_NAME = b'"event_name":"'
_AFTER_NAME = b'","schema_version":'


_ID_LINES = tuple(b"id: %d" % seq for seq in range(2048))


class _End(msgspec.Struct):
    id: str
    source: str


_end_decoder = msgspec.json.Decoder(_End)


def encode_entries(entries: Sequence[LogEntry]) -> bytes:
    """The frames of the entries that go to a client; the others have none."""
    parts: list[bytes] = []
    start = 0
    while start < len(entries):
        entry = entries[start]
        if isinstance(entry, ChunkEntry):
            start += _add_chunks(parts, entry.encoder, entries, start)
            continue
        parts.append(_encode_entry(entry))
        start += 1
    return b"".join(parts)


def _add_chunks(parts: list[bytes], encoder: ChunkEncoder, entries: Sequence[LogEntry], start: int) -> int:
    """Add the frames of the chunks of one stream from ``start`` on, and return how many they are."""
    chunks: list[ChunkEntry] = []
    for entry in entries[start:] if start else entries:
        if not isinstance(entry, ChunkEntry) or entry.encoder is not encoder:
            break
        chunks.append(entry)
    parts.append(encoder.frames(_id_lines(chunks[0].seq, len(chunks)), chunks))
    return len(chunks)


def _id_lines(first: int, count: int) -> Sequence[bytes]:
    if first + count <= len(_ID_LINES):
        return _ID_LINES[first : first + count]
    return [b"id: %d" % seq for seq in range(first, first + count)]


def _encode_entry(entry: LogEntry) -> bytes:
    data = entry.data
    if entry.type == "event":
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.seq, _event_name(data), data)
    if entry.type == "run.finished":
        end = _end_decoder.decode(data)
        return b"id: %d\nevent: done\ndata: %b\n\n" % (entry.seq, encode_event(DoneEvent(id=end.id, source=end.source)))
    return b""


def _event_name(data: bytes) -> bytes:
    # The layout is that of our own encoder, in which a quote inside the name is always escaped.
    start = data.index(_NAME) + len(_NAME)
    name = data[start : data.index(_AFTER_NAME, start)]
    return msgspec.json.decode(b'"' + name + b'"', type=str).encode() if b"\\" in name else name
