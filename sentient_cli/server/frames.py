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
    from collections.abc import Iterable

__all__ = ["HEARTBEAT", "encode_entries", "encode_entry"]

HEARTBEAT = b": still here\n"
"""One comment line. No blank line follows: the public client's reader would make an event of it and fail."""

_NAME = b'"event_name":"'
_AFTER_NAME = b'","schema_version":'


class _End(msgspec.Struct):
    id: str
    source: str


_end_decoder = msgspec.json.Decoder(_End)


def encode_entries(entries: Iterable[Entry]) -> bytes:
    """The frames of the entries that go to a client; the others have none."""
    return b"".join([encode_entry(entry) for entry in entries])


def encode_entry(entry: Entry) -> bytes:
    """The frame of an entry, or nothing when it does not go to a client.

    Example:
        >>> entry = Entry(9, 0, "run.finished", b'{"outcome":"done","id":"01J","source":"a"}')
        >>> encode_entry(entry).splitlines()[:2]
        [b'id: 9', b'event: done']
    """
    if entry.type == "event":
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.seq, _event_name(entry.data), entry.data)
    if entry.type == "run.finished":
        end = _end_decoder.decode(entry.data)
        done = encode_event(DoneEvent(id=end.id, source=end.source))
        return b"id: %d\nevent: done\ndata: %b\n\n" % (entry.seq, done)
    return b""


def _event_name(data: bytes) -> bytes:
    # The layout is that of our own encoder, in which a quote inside the name is always escaped.
    start = data.index(_NAME) + len(_NAME)
    name = data[start : data.index(_AFTER_NAME, start)]
    if b"\\" in name:
        return msgspec.json.decode(b'"' + name + b'"', type=str).encode()
    return name
