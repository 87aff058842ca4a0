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

__all__ = ["HEARTBEAT", "encode_entries"]

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
    frames: list[bytes] = []
    # Most entries are chunks of the same stream as the one before, so they begin with the same bytes.
    beginning = b"\0"
    name = b""
    for entry in entries:
        data = entry.data
        if entry.type == "event":
            if not data.startswith(beginning):
                beginning, name = _event_name(data)
            frames.append(b"id: %d\nevent: %b\ndata: %b\n\n" % (entry.seq, name, data))
        elif entry.type == "run.finished":
            end = _end_decoder.decode(data)
            done = encode_event(DoneEvent(id=end.id, source=end.source))
            frames.append(b"id: %d\nevent: done\ndata: %b\n\n" % (entry.seq, done))
    return b"".join(frames)


def _event_name(data: bytes) -> tuple[bytes, bytes]:
    """What the JSON of an event begins with, up to and with its name, and the name."""
    # The layout is that of our own encoder, in which a quote inside the name is always escaped.
    start = data.index(_NAME) + len(_NAME)
    end = data.index(_AFTER_NAME, start)
    name = data[start:end]
    if b"\\" in name:
        name = msgspec.json.decode(b'"' + name + b'"', type=str).encode()
    return data[: end + len(_AFTER_NAME)], name
