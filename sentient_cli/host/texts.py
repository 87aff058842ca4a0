"""Which entries are pieces of streams of text, of which streams, and how they are put together with other texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from sentient_cli.errors import InvalidEventError
from sentient_cli.runtime.chunks import ChunkEntry
from sentient_cli.runtime.events import TextChunkEvent, decode_event, encode_event, is_text_chunk
from sentient_cli.store.entry import LogEntry

__all__ = ["EVENTS", "Rebuild", "StreamKey", "StreamTexts", "ended_by", "texts_of"]

StreamKey: TypeAlias = tuple[str, str | int]
"""Of a stream: what it is of, and which there."""
Rebuild: TypeAlias = Callable[[Sequence[str]], bytes]
"""Makes the data of an entry with other texts."""

EVENTS = ""
_CHUNKED = b'"content_type":"chunked.text"'


class StreamTexts(NamedTuple):
    """The texts of an entry that are pieces of streams.

    Args:
        found: The stream of each text, and the text.
        rebuild: Makes the data with other texts.
        complete: Whether the streams end with the entry.
    """

    found: Sequence[tuple[StreamKey, str]]
    rebuild: Rebuild
    complete: bool = False


class _Call(msgspec.Struct):
    call: str


_calls = msgspec.json.Decoder(_Call)


def texts_of(entry: LogEntry) -> StreamTexts | None:
    """The pieces of streams that an entry has; None when it has nothing to do with streams."""
    if isinstance(entry, ChunkEntry):
        return StreamTexts([((EVENTS, entry.encoder.stream_id), entry.text)], partial(_with_content, entry))
    if entry.type == "event" and _CHUNKED in entry.data[:64]:
        return _of_event(entry)
    if entry.type == "llm.chunks":
        return _of_answer(entry)
    return None


def _of_event(entry: LogEntry) -> StreamTexts | None:
    try:
        event = decode_event(entry.data)
    except InvalidEventError:
        return None
    if not is_text_chunk(event):
        return None
    return StreamTexts([((EVENTS, event.stream_id), event.content)], partial(_as_event, event), event.is_complete)


def _of_answer(entry: LogEntry) -> StreamTexts | None:
    from sentient_cli.host.llm_texts import decode_answer, texts_in, with_texts  # noqa: PLC0415 - seldom

    try:
        answer = decode_answer(entry.data)
    except msgspec.DecodeError:
        return None
    return StreamTexts(list(texts_in(answer)), partial(with_texts, answer))


def ended_by(entry: LogEntry, open_streams: Iterable[StreamKey]) -> list[StreamKey]:
    """Which streams end before an entry: those of a call to a model with the call, all with the run."""
    if entry.type == "run.finished":
        return list(open_streams)
    if entry.type == "llm.finished":
        call = _call_of(entry.data)
        return [key for key in open_streams if key[0] == call]
    return []


def _with_content(entry: ChunkEntry, texts: Sequence[str]) -> bytes:
    return entry.encoder.encode(entry.event_id, texts[0])


def _as_event(event: TextChunkEvent, texts: Sequence[str]) -> bytes:
    return encode_event(replace(event, content=texts[0]))


def _call_of(data: bytes) -> str | None:
    try:
        return _calls.decode(data).call
    except msgspec.DecodeError:
        return None
