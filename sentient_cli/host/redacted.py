"""What is stored is stored without secrets: the last step before an event log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

import msgspec

from sentient_cli.host.lines import ChunkShape, MaskedBatch, stream_of
from sentient_cli.host.threads import Threads
from sentient_cli.redact import Redactor
from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.runtime.events import encode_json
from sentient_cli.store.batch import appender
from sentient_cli.store.entry import Entry, LogEntry
from sentient_cli.store.ports import EventLog, LogHead

__all__ = ["RedactedLog", "mask_json"]

T = TypeVar("T")

_INLINE = 64 * 1024
_STREAMS = 1024
"""So many streams are known by heart."""


class RedactedLog:
    """An event log that masks secrets in what is appended to it.

    Args:
        log: Keeps the entries.
        redactor: Knows the secrets.
        threads: Mask what would hold the loop; not closed with the log.
    """

    def __init__(self, log: EventLog, redactor: Redactor, threads: Threads) -> None:
        self._log = log
        self._append_all = appender(log)
        self._redactor = redactor
        self._threads = threads
        self._shapes: dict[ChunkEncoder, ChunkShape] = {}
        self._public: dict[ChunkEncoder, bool] = {}

    async def append(self, run_id: str, entries: Sequence[LogEntry]) -> None:
        """Append entries, masked."""
        await self._log.append(run_id, await self._masked(entries))

    async def append_all(self, appends: Sequence[tuple[str, Sequence[LogEntry]]]) -> list[Exception | None]:
        """Append to many runs, and return what went wrong with each, or None."""
        return await self._append_all([(run_id, await self._masked(entries)) for run_id, entries in appends])

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands."""
        return await self._log.head(run_id)

    async def _masked(self, entries: Sequence[LogEntry]) -> MaskedBatch:
        if stream_of(entries) is not None and self._is_public(cast("ChunkEntry", entries[0])):
            return MaskedBatch(entries, self._shape_of, of_one_stream=True)
        unmasked: list[LogEntry] = []
        last: ChunkEncoder | None = None
        for entry in entries:
            if not isinstance(entry, ChunkEntry):
                unmasked.append(entry)
            elif entry.encoder is not last:
                last = entry.encoder if self._is_public(entry) else None
                if last is None:
                    unmasked.append(entry)
        if unmasked:
            size = sum([len(entry.data) for entry in unmasked])
            masked = await self._threads.run(self._mask, unmasked) if size > _INLINE else self._mask(unmasked)
            changed = {entry.seq: entry for entry in masked}
            entries = [changed.get(entry.seq, entry) for entry in entries]
        return MaskedBatch(entries, self._shape_of)

    def _is_public(self, chunk: ChunkEntry) -> bool:
        """Whether nothing but the text of a chunk can be a secret; that was masked before."""
        public = self._public.get(chunk.encoder)
        if public is None:
            constant = chunk.encoder.encode(chunk.event_id, "")
            public = self._redactor.redact(constant) == constant
            _remember(self._public, chunk.encoder, public)
        return public

    def _mask(self, entries: Sequence[LogEntry]) -> list[LogEntry]:
        return [self._mask_one(entry) for entry in entries]

    def _mask_one(self, entry: LogEntry) -> LogEntry:
        data = entry.data
        masked = mask_json(data, self._redactor)
        return entry if masked is data else Entry(entry.seq, entry.at, entry.type, masked)

    def _shape_of(self, encoder: ChunkEncoder) -> ChunkShape:
        shape = self._shapes.get(encoder)
        if shape is None:
            shape = ChunkShape(encoder)
            _remember(self._shapes, encoder, shape)
        return shape


def _remember(known: dict[ChunkEncoder, T], encoder: ChunkEncoder, value: T) -> None:
    known[encoder] = value
    if len(known) > _STREAMS:
        known.pop(next(iter(known)))


def mask_json(data: bytes, redactor: Redactor) -> bytes:
    """JSON with the secrets in its strings, and what stands under a secret's name, masked.

    Args:
        data: Compact JSON.
        redactor: Knows the secrets.
    """
    # Text without a secret stays as it was, to the byte; the pattern alone is much cheaper than decoding.
    if redactor.redact(data) == data:
        return data
    return encode_json(redactor.redact_json(msgspec.json.decode(data)))
