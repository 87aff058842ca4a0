"""Entries of a run on their way to its store: what is streamed in pieces is masked as the one text that it is.

The other entries are masked one by one, by `sentient_cli.host.redacted`. The order stays, so that what follows a piece
that may be the beginning of a secret waits with it: for the next piece, or for a second.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from sentient_cli.errors import InvalidEventError
from sentient_cli.host.pieces import RedactedPieces
from sentient_cli.llm.types import Chunk
from sentient_cli.redact import Redactor
from sentient_cli.runtime.chunks import ChunkEntry
from sentient_cli.runtime.events import decode_event, encode_event, encode_json, is_text_chunk
from sentient_cli.store.entry import Entry, LogEntry

__all__ = ["StreamMask"]

_LONGEST_WAIT = 1.0
_MOST_WAITING = 256
_CHUNKED = b'"content_type":"chunked.text"'

_Key: TypeAlias = tuple[str, str | int]
"""Of a stream: what it is of, and which there."""
_EVENTS = ""
_TEXT = "text"
_Rebuild: TypeAlias = Callable[[Sequence[str]], bytes]


class _Call(msgspec.Struct):
    call: str


class _Answer(_Call):
    """The data of an ``llm.chunks`` entry, in its order."""

    attempt: int
    parent: str | None
    chunks: list[tuple[int, Chunk]]


_calls = msgspec.json.Decoder(_Call)
_answers = msgspec.json.Decoder(_Answer)


class _Waiting:
    """An entry, and the masked texts that it still needs."""

    __slots__ = ("entry", "missing", "rebuild", "texts")

    def __init__(self, entry: LogEntry, texts: Sequence[str] = (), rebuild: _Rebuild | None = None) -> None:
        self.entry = entry
        self.texts = list(texts)
        self.missing = len(self.texts)
        self.rebuild = rebuild

    def masked(self, place: int, text: str) -> None:
        self.missing -= 1
        if text == self.texts[place]:
            return
        self.texts[place] = text
        self.entry = Entry(self.entry.seq, self.entry.at, self.entry.type, self._rebuilt())

    def _rebuilt(self) -> bytes:
        return self.rebuild(self.texts) if self.rebuild is not None else self.entry.data


class _Stream:
    """One stream of text, and where its pieces stand."""

    __slots__ = ("fresh", "pieces", "places")

    def __init__(self, redactor: Redactor) -> None:
        self.pieces = RedactedPieces(redactor)
        self.fresh: list[str] = []
        self.places: deque[tuple[_Waiting, int]] = deque()

    def add(self, waiting: _Waiting, place: int, text: str) -> None:
        self.fresh.append(text)
        self.places.append((waiting, place))

    def settle(self, *, ended: bool = False, covered: bool = False) -> None:
        """Hand out what is certain; at the end of the stream, or when it is covered, that is everything."""
        fresh, self.fresh = self.fresh, []
        masked = self.pieces.feed(fresh) if fresh else []
        if ended:
            masked += self.pieces.finish()
        elif covered and len(masked) < len(self.places):
            masked += self.pieces.cover()
        for text in masked:
            waiting, place = self.places.popleft()
            waiting.masked(place, text)


class StreamMask:
    """Takes the entries of one run, and passes them on in their order, with the secrets in its streams masked.

    Args:
        redactor: Knows the secrets.
        pass_on: Takes the entries.
    """

    __slots__ = ("_pass_on", "_redactor", "_streams", "_timer", "_waiting")

    def __init__(self, redactor: Redactor, pass_on: Callable[[Entry], None]) -> None:
        self._redactor = redactor
        self._pass_on = pass_on
        self._streams: dict[_Key, _Stream] = {}
        self._waiting: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, entries: Sequence[LogEntry]) -> None:
        """Take the run's next entries."""
        for entry in entries:
            if isinstance(entry, ChunkEntry):
                self._take_chunk(entry)
            elif entry.type == "event" and _CHUNKED in entry.data[:64]:
                self._take_chunk_event(entry)
            elif entry.type == "llm.chunks":
                self._take_answer(entry)
            else:
                self._end(entry)
                self._waiting.append(_Waiting(entry))
        for stream in self._streams.values():
            stream.settle()
        self._advance()
        if len(self._waiting) > _MOST_WAITING:
            self._cover()

    def _add(self, key: _Key, waiting: _Waiting, place: int, text: str) -> _Stream:
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(self._redactor)
        stream.add(waiting, place, text)
        return stream

    def _take_chunk(self, entry: ChunkEntry) -> None:
        waiting = _Waiting(entry, [entry.text], lambda texts: replace(entry, text=texts[0]).data)
        self._waiting.append(waiting)
        self._add((_EVENTS, entry.encoder.stream_id), waiting, 0, entry.text)

    def _take_chunk_event(self, entry: LogEntry) -> None:
        try:
            event = decode_event(entry.data)
        except InvalidEventError:
            self._waiting.append(_Waiting(entry))
            return
        if not is_text_chunk(event):
            self._waiting.append(_Waiting(entry))
            return
        waiting = _Waiting(entry, [event.content], lambda texts: encode_event(replace(event, content=texts[0])))
        self._waiting.append(waiting)
        key = _EVENTS, event.stream_id
        stream = self._add(key, waiting, 0, event.content)
        if event.is_complete:
            stream.settle(ended=True)
            del self._streams[key]

    def _take_answer(self, entry: LogEntry) -> None:
        try:
            answer = _answers.decode(entry.data)
        except msgspec.DecodeError:
            self._waiting.append(_Waiting(entry))
            return
        found = list(_texts(answer))
        waiting = _Waiting(entry, [text for _, text in found], partial(_with_texts, answer))
        self._waiting.append(waiting)
        for place, (key, text) in enumerate(found):
            self._add(key, waiting, place, text)

    def _end(self, entry: LogEntry) -> None:
        """End the streams that end with an entry: those of a call to a model with the call, all with the run."""
        if entry.type == "run.finished":
            ended = list(self._streams)
        elif entry.type == "llm.finished":
            call = _call_of(entry.data)
            ended = [key for key in self._streams if key[0] == call]
        else:
            return
        for key in ended:
            self._streams.pop(key).settle(ended=True)

    def _advance(self) -> None:
        waiting = self._waiting
        while waiting and not waiting[0].missing:
            entry = waiting.popleft().entry
            self._pass_on(Entry(entry.seq, entry.at, entry.type, entry.data))
        if waiting and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_LONGEST_WAIT, self._late, waiting[0], context=contextvars.Context())
        elif not waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self, first: _Waiting) -> None:
        self._timer = None
        if self._waiting and self._waiting[0] is first:
            self._cover()
        self._advance()

    def _cover(self) -> None:
        for stream in self._streams.values():
            stream.settle(covered=True)
        self._advance()


def _texts(answer: _Answer) -> Iterator[tuple[_Key, str]]:
    for _, chunk in answer.chunks:
        if chunk.text:
            yield (answer.call, _TEXT), chunk.text
        if chunk.tool_call is not None and chunk.tool_call.arguments:
            yield (answer.call, chunk.tool_call.index or 0), chunk.tool_call.arguments


def _with_texts(answer: _Answer, texts: Sequence[str]) -> bytes:
    """The data of an answer with other texts, in the order of `_texts`."""
    left = iter(texts)
    chunks: list[tuple[int, Chunk]] = []
    for offset, chunk in answer.chunks:
        call = chunk.tool_call
        text = next(left) if chunk.text else ""
        if call is not None and call.arguments:
            call = replace(call, arguments=next(left))
        chunks.append((offset, replace(chunk, text=text, tool_call=call)))
    return encode_json(replace(answer, chunks=chunks))


def _call_of(data: bytes) -> str | None:
    try:
        return _calls.decode(data).call
    except msgspec.DecodeError:
        return None
