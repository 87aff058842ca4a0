"""Entries of a run on their way to its store: what is streamed in pieces is masked as the one text that it is.

Nearly always there is no secret in a batch, nor the beginning of one, and it passes as it came. Otherwise its entries
are taken one by one. The order stays, so that what follows a piece that may be the beginning of a secret waits with it:
for the next piece, or for a second. Entries that are no pieces are masked by `sentient_cli.host.redacted`.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Sequence

from sentient_cli.host.pieces import RedactedPieces
from sentient_cli.host.texts import EVENTS, Rebuild, StreamKey, ended_by, texts_of
from sentient_cli.redact import Redactor
from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.store.entry import Entry, LogEntry

__all__ = ["LookedAt", "StreamMask"]

_LONGEST_WAIT = 1.0
_MOST_WAITING = 256
_BETWEEN = "\0"
"""Stands between texts that have nothing to do with each other. No secret is told by it."""


class _Waiting:
    """An entry, and the masked texts that it still needs."""

    __slots__ = ("entry", "missing", "rebuild", "texts")

    def __init__(self, entry: LogEntry, texts: Sequence[str] = (), rebuild: Rebuild | None = None) -> None:
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


class _Segment:
    """Pieces of one stream that follow each other in a batch."""

    __slots__ = ("begun", "ended", "key", "stream", "text", "texts")

    def __init__(self, key: StreamKey, *, begun: bool) -> None:
        self.key = key
        self.texts: list[str] = []
        self.begun = begun
        """Whether a stream of this name ended before it, in the same batch."""
        self.ended = False
        self.text = ""
        """The pieces, joined."""
        self.stream: _Stream | None = None
        """The stream that they continue; None: they are its first."""


class LookedAt:
    """Entries of one run, and what of their streams has to be free of secrets for them to pass as they are.

    Args:
        entries: The entries.
        segments: The pieces of streams among them; None: they have to be taken one by one.
        text: What has to be free of secrets.
        size: The bytes of data of the entries that are no chunks.
    """

    __slots__ = ("entries", "segments", "size", "text")

    def __init__(
        self, entries: Sequence[LogEntry], segments: Sequence[_Segment] | None = None, text: str = "", size: int = 0
    ) -> None:
        self.size: int = size
        self.entries: Sequence[LogEntry] = entries
        self.segments: Sequence[_Segment] | None = segments
        self.text: str = text


class StreamMask:
    """Takes the entries of one run, and passes them on in their order, with the secrets in its streams masked.

    A chunk that is passed on as the `ChunkEntry` that it was has no secret in its text.

    Args:
        redactor: Knows the secrets.
        pass_on: Takes entries, and how many bytes of data they have, roughly.
    """

    __slots__ = ("_pass_on", "_redactor", "_streams", "_timer", "_waiting")

    def __init__(self, redactor: Redactor, pass_on: Callable[[Sequence[LogEntry], int], None]) -> None:
        self._redactor = redactor
        self._pass_on = pass_on
        self._streams: dict[StreamKey, _Stream] = {}
        self._waiting: deque[_Waiting] = deque()
        self._timer: asyncio.TimerHandle | None = None

    # -- a batch in which nothing is to be masked ---------------------------------------------------------------------

    def look_at(self, entries: Sequence[LogEntry]) -> LookedAt:
        """Prepare to take the run's next entries; they have to be taken before others are looked at."""
        if self._waiting:
            return LookedAt(entries)
        segment = _of_one_stream(entries)
        if segment is not None:
            return LookedAt(entries, (segment,), self._ahead(segment))
        segments, size = self._segments(entries)
        return LookedAt(entries, segments, _BETWEEN.join(map(self._ahead, segments)), size)

    def _segments(self, entries: Sequence[LogEntry]) -> tuple[list[_Segment], int]:
        """The pieces of streams among entries, and the bytes of data of those that are no chunks."""
        segments: list[_Segment] = []
        size = 0
        growing: dict[StreamKey, _Segment] = {}
        last: ChunkEncoder | None = None
        texts: list[str] = []
        for entry in entries:
            if isinstance(entry, ChunkEntry):
                if entry.encoder is not last:
                    last = entry.encoder
                    texts = _grow(segments, growing, (EVENTS, last.stream_id)).texts
                texts.append(entry.text)
                continue
            last = None  # its stream may end here
            size += len(entry.data)
            found = texts_of(entry)
            if found is not None:
                for key, text in found.found:
                    segment = _grow(segments, growing, key)
                    segment.texts.append(text)
                    segment.ended = found.complete
            else:
                for key in ended_by(entry, {**self._streams, **growing}):
                    _grow(segments, growing, key).ended = True
        return segments, size

    def _ahead(self, segment: _Segment) -> str:
        text = segment.text = "".join(segment.texts)
        if not segment.begun:
            stream = segment.stream = self._streams.get(segment.key)
            if stream is not None:
                return stream.pieces.ahead(text)
        return text

    def _passes(self, segment: _Segment) -> bool:
        """Whether no secret begins in the pieces, as far as they can tell."""
        if segment.ended:
            return True
        if segment.stream is None:
            segment.stream = _Stream(self._redactor)
        return segment.stream.pieces.passes_unmarked(segment.text)

    def _pass(self, segment: _Segment) -> None:
        if segment.ended:
            self._streams.pop(segment.key, None)
        elif segment.stream is not None:
            self._streams[segment.key] = segment.stream
            segment.stream.pieces.pass_unmarked(segment.text)

    # -- taking ------------------------------------------------------------------------------------------------------

    def take(self, looked_at: LookedAt, *, harmless: bool) -> None:
        """Take entries that were looked at.

        Args:
            looked_at: The last that were.
            harmless: Whether the redactor does not suspect their text.
        """
        segments = looked_at.segments
        if segments is None or not (harmless and all(map(self._passes, segments))):
            self._take_one_by_one(looked_at.entries)
            return
        for segment in segments:
            self._pass(segment)
        self._pass_on(looked_at.entries, len(looked_at.text) + looked_at.size)

    def _take_one_by_one(self, entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            self._take(entry)
        for stream in self._streams.values():
            stream.settle()
        self._advance()
        if len(self._waiting) > _MOST_WAITING:
            self._cover()

    def _take(self, entry: LogEntry) -> None:
        found = texts_of(entry)
        if found is None:
            for key in ended_by(entry, self._streams):
                self._streams.pop(key).settle(ended=True)
            self._waiting.append(_Waiting(entry))
            return
        waiting = _Waiting(entry, [text for _, text in found.found], found.rebuild)
        self._waiting.append(waiting)
        for place, (key, text) in enumerate(found.found):
            stream = self._streams.get(key)
            if stream is None:
                stream = self._streams[key] = _Stream(self._redactor)
            stream.add(waiting, place, text)
            if found.complete:
                stream.settle(ended=True)
                del self._streams[key]

    def _advance(self) -> None:
        waiting = self._waiting
        ready: list[LogEntry] = []
        while waiting and not waiting[0].missing:
            ready.append(waiting.popleft().entry)
        if ready:
            self._pass_on(ready, sum([len(entry.data) for entry in ready]))
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


def _of_one_stream(entries: Sequence[LogEntry]) -> _Segment | None:
    """The only segment of entries that are chunks of one stream, as they are nearly always."""
    first = entries[0]
    if not isinstance(first, ChunkEntry):
        return None
    encoder = first.encoder
    texts = [entry.text for entry in entries if isinstance(entry, ChunkEntry) and entry.encoder is encoder]
    if len(texts) < len(entries):
        return None
    segment = _Segment((EVENTS, encoder.stream_id), begun=False)
    segment.texts = texts
    return segment


def _grow(segments: list[_Segment], growing: dict[StreamKey, _Segment], key: StreamKey) -> _Segment:
    """The segment that the next piece of a stream belongs to."""
    segment = growing.get(key)
    if segment is None or segment.ended:
        segment = growing[key] = _Segment(key, begun=segment is not None)
        segments.append(segment)
    return segment
