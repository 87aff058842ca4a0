"""Entries as Server-Sent Events of Sentient Chat 1.0: a pure function from entries to bytes.

A frame is ``id: <seq>``, ``event: <name>``, ``data: <json>`` and a blank line
(https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sentient_cli.runtime.events import DoneEvent, encode_event
from sentient_cli.store.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence
from itertools import chain, repeat, takewhile

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


def encode_entries(entries: Sequence[Entry]) -> bytes:
    """The frames of the entries that go to a client; the others have none."""
    parts: list[bytes] = []
    start = 0
    while start < len(entries):
        entry = entries[start]
        if entry.type == "event":
            start += _add_alike(parts, entries, start)
            continue
        if entry.type == "run.finished":
            end = _end_decoder.decode(entry.data)
            parts += (b"id: %d\nevent: done\ndata: " % entry.seq, encode_event(DoneEvent(id=end.id, source=end.source)))
            parts.append(b"\n\n")
        start += 1
    return b"".join(parts)


def _add_alike(parts: list[bytes], entries: Sequence[Entry], start: int) -> int:
    """Add the frames of the events from ``start`` on that have the same name, and return how many they are.

    Most are chunks of the same text stream, so they are put together without a step of Python for each.
    """
    beginning, name = _event_name(entries[start].data)
    rest = entries[start:] if start else entries
    # Only events begin with a content type, so what begins like this one is an event too.
    alike = [entry.data for entry in takewhile(lambda entry: entry.data.startswith(beginning), rest)]
    first = entries[start].seq
    middle = b"\nevent: %b\ndata: " % name
    parts += chain.from_iterable(
        zip(_id_lines(first, len(alike)), repeat(middle), alike, repeat(b"\n\n"), strict=False)
    )
    return len(alike)


def _id_lines(first: int, count: int) -> Sequence[bytes]:
    if first + count <= len(_ID_LINES):
        return _ID_LINES[first : first + count]
    return [b"id: %d" % seq for seq in range(first, first + count)]


def _event_name(data: bytes) -> tuple[bytes, bytes]:
    """What the JSON of an event begins with, up to and with its name, and the name."""
    # The layout is that of our own encoder, in which a quote inside the name is always escaped.
    start = data.index(_NAME) + len(_NAME)
    end = data.index(_AFTER_NAME, start)
    name = data[start:end]
    if b"\\" in name:
        name = msgspec.json.decode(b'"' + name + b'"', type=str).encode()
    return data[: end + len(_AFTER_NAME)], name
