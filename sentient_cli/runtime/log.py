"""The log of one run while it lives: in memory, the truth, bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from sentient_cli.clock import Clock, Ids
from sentient_cli.errors import CursorError, CursorExpiredError, LogSequenceError, ResponseClosedError, RunOverflowError
from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.store.entry import Entry, LogEntry

__all__ = ["LogLimits", "LogListener", "RunLog", "closed_error"]

LogListener: TypeAlias = Callable[[Sequence[LogEntry]], None]
"""Is given new entries, in order; it neither raises nor waits."""

_EVICT_AT_ONCE = 1024
_MUCH = 1024 * 1024
"""Bytes of data that wait for no time: who stores them would get too many at once."""


class LogLimits(msgspec.Struct, frozen=True):
    """How much a live log holds.

    Args:
        entries: How many entries, at the most.
        size: How many bytes of data, at the most.
    """

    entries: int = 100_000
    size: int = 64 * 1024 * 1024


def _size_of(entry: LogEntry) -> int:
    return entry.encoder.overhead + len(entry.text) if isinstance(entry, ChunkEntry) else len(entry.data)


def closed_error(run_id: str) -> ResponseClosedError:
    """What an agent is told that emits after the end."""
    return ResponseClosedError(
        "The response is complete",
        why=f"Run {run_id} has ended",
        fix="Emit everything before the response ends",
    )


def _at_once(deliver: Callable[[], None]) -> None:
    deliver()


class RunLog:
    """The entries of one run, from the first that is still held to the last.

    Appending never waits. Past its limits the log forgets what its owner, the connection that started the run, has sent
    already, or, when only others read, the oldest entries. When nobody reads nothing is forgotten: appending fails.

    Args:
        run_id: The run that the entries are of.
        clock: Stamps the entries.
        limits: How much is held.
        listeners: Storage and hooks; they get the entries in batches.
        schedule: Calls what it is given at the end of the loop's turn; at once unless given. The terminal entry is
            always delivered at once.
    """

    __slots__ = (
        "_acknowledged",
        "_delivered",
        "_delivered_size",
        "_due",
        "_entries",
        "_first_seq",
        "_forgotten_size",
        "_listeners",
        "_mark_at",
        "_mark_seq",
        "_mark_size",
        "_max_entries",
        "_max_size",
        "_now_ns",
        "_schedule",
        "_seq_end",
        "_size_end",
        "_waiting",
        "events",
        "finished",
        "last_at",
        "last_seq",
        "mark_passed",
        "on_overflow",
        "readers",
        "run_id",
        "total_size",
    )

    def __init__(
        self,
        run_id: str,
        clock: Clock,
        limits: LogLimits | None = None,
        listeners: Sequence[LogListener] = (),
        schedule: Callable[[Callable[[], None]], object] = _at_once,
    ) -> None:
        limits = limits or LogLimits()
        self.run_id: str = run_id
        self.last_seq: int = 0
        self.last_at: int = 0
        self.finished: bool = False
        self.total_size: int = 0
        self.readers: int = 0
        self.events: int = 0
        """How many of the entries were events."""
        self.mark_passed: bool = True
        """Whether the log has grown past a mark since `set_marks`."""
        self.on_overflow: Callable[[RunOverflowError], None] | None = None
        """Called before an entry is refused since the log is full and nobody reads."""
        self._mark_seq = 0
        self._mark_at = 0
        self._mark_size = 0
        self._now_ns = clock.now_ns
        self._max_entries = limits.entries
        self._max_size = limits.size
        self._listeners = tuple(listeners)
        self._schedule = schedule
        self._due = False
        self._delivered = 0
        self._delivered_size = 0
        self._entries: list[LogEntry] = []
        self._first_seq = 1
        self._forgotten_size = 0
        self._seq_end = limits.entries
        self._size_end = limits.size
        self._acknowledged: int | None = None
        self._waiting: dict[Callable[[], None], None] = {}

    @property
    def first_seq(self) -> int:
        """The first seq that is still held."""
        return self._first_seq

    @property
    def size(self) -> int:
        """The bytes of data held; those of chunks are counted before they are escaped."""
        return self.total_size - self._forgotten_size

    def append(self, type: str, data: bytes, *, forced: bool = False) -> None:  # noqa: A002 - the field's name
        """Add an entry of this moment; see `add`."""
        self.add(type, data, self._now_ns(), forced)

    def add(self, type: str, data: bytes, at: int, forced: bool = False) -> None:  # noqa: A002
        """Add an entry and wake those who wait.

        Args:
            type: One of the types of `sentient_cli.store.entry`.
            data: Compact JSON.
            at: Nanoseconds since the epoch.
            forced: The end of a run is written whatever the limits say.

        Raises:
            LogSequenceError: the log is finished.
            RunOverflowError: the log is full of entries that nobody has read.
        """
        if self.finished:
            raise LogSequenceError(f"The log of run {self.run_id} is finished")
        if (self.last_seq >= self._seq_end or self.total_size >= self._size_end) and not forced:
            self._evict()
        if at < self.last_at:  # noqa: PLR1730 - max() costs three times as much
            at = self.last_at
        self.last_at = at
        seq = self.last_seq = self.last_seq + 1
        self._entries.append(Entry(seq, at, type, data))
        size = self.total_size = self.total_size + len(data)
        if type == "event":
            self.events += 1
        if seq >= self._mark_seq or at >= self._mark_at or size >= self._mark_size:
            self.mark_passed = True
        if self._waiting:
            self._wake()
        if type == "run.finished":
            self.finished = True
            self._deliver()
        elif self._listeners and not self._due:
            self._due = True
            self._schedule(self._deliver)

    def chunk_appender(self, encoder: ChunkEncoder, ids: Ids) -> Callable[[str], bool]:
        """A function that adds the chunks of one text stream, and returns whether a mark is passed.

        Every token of every answer passes here. It is `append` for chunks, in one function: what is the same for all of
        them is looked up once, and each call that is saved is a tenth of the whole.

        Args:
            encoder: That of the stream.
            ids: Gives the ids of the events.
        """
        now_ns = self._now_ns
        ulid_bytes = ids.ulid_bytes
        overhead = encoder.overhead

        def append_chunk(text: str) -> bool:
            if self.finished:
                raise closed_error(self.run_id)
            if self.last_seq >= self._seq_end or self.total_size >= self._size_end:
                self._evict()
            at = now_ns()
            if at < self.last_at:  # noqa: PLR1730 - max() costs three times as much
                at = self.last_at
            self.last_at = at
            seq = self.last_seq = self.last_seq + 1
            self._entries.append(ChunkEntry(seq, at, encoder, ulid_bytes(at), text))
            size = self.total_size = self.total_size + overhead + len(text)
            self.events += 1
            if self._waiting:
                self._wake()
            if self._listeners and not self._due:
                self._due = True
                self._schedule(self._deliver)
            if seq < self._mark_seq and at < self._mark_at and size < self._mark_size:
                return False
            self.mark_passed = True
            return True

        return append_chunk

    def set_marks(self, seq: int, at: int, size: int) -> None:
        """Say where `mark_passed` becomes true: at a seq, a moment or a total size, whichever comes first."""
        self._mark_seq = seq
        self._mark_at = at
        self._mark_size = size
        self.mark_passed = False

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for wake in waiting:
            wake()

    def _deliver(self) -> None:
        self._due = False
        if self._listeners and self._delivered < self.last_seq:
            entries = self._entries[max(self._delivered + 1 - self._first_seq, 0) :]
            self._delivered = self.last_seq
            self._delivered_size = self.total_size
            for listener in self._listeners:
                listener(entries)

    def relieve(self) -> None:
        """Deliver what waits for its time, where that is much."""
        if self.total_size - self._delivered_size > _MUCH:
            self._deliver()

    def read(self, after: int, limit: int = 256) -> list[LogEntry]:
        """At most ``limit`` entries with a seq greater than ``after``.

        Raises:
            CursorError: ``after`` is negative or beyond the last seq.
            CursorExpiredError: the entries after it are no longer held.
        """
        start = after + 1 - self._first_seq
        if start < 0:
            if after < 0:
                raise CursorError(f"There is no entry {after}")
            raise CursorExpiredError(
                f"The entries after {after} of run {self.run_id} are no longer kept",
                first_seq=self._first_seq,
                fix=f"Read on from entry {self._first_seq}",
            )
        if after > self.last_seq:
            raise CursorError(f"Run {self.run_id} has no entry {after} yet", why=f"Its last is {self.last_seq}")
        return self._entries[start : start + limit]

    def wake_once(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` after the next entry; asking twice is asking once."""
        self._waiting[wake] = None

    def attach(self) -> None:
        """A reader comes."""
        self.readers += 1

    def detach(self, wake: Callable[[], None]) -> None:
        """A reader leaves, and is not to be woken any more."""
        self.readers -= 1
        self._waiting.pop(wake, None)

    def acknowledge(self, seq: int | None) -> None:
        """The owner has sent all up to ``seq``, which may be forgotten under pressure; None: there is no owner."""
        self._acknowledged = seq

    def _evict(self) -> None:
        # With an owner, what it has sent; without one, whoever watches has to keep up, but somebody has to watch.
        read = self._acknowledged if self._acknowledged is not None else self.last_seq if self.readers else 0
        count = min(read + 1 - self._first_seq, _EVICT_AT_ONCE)
        if count <= 0:
            error = RunOverflowError(
                f"Run {self.run_id} wrote {len(self._entries)} entries ({self.size} bytes) that nobody has read",
                why=f"A log holds at most {self._max_entries} entries and {self._max_size} bytes",
                fix="Emit less, or keep a client connected that reads",
            )
            if self.on_overflow is not None:
                self.on_overflow(error)
            raise error
        self._deliver()
        self._forgotten_size += sum(map(_size_of, self._entries[:count]))
        del self._entries[:count]
        self._first_seq += count
        self._seq_end = self._first_seq - 1 + self._max_entries
        self._size_end = self._forgotten_size + self._max_size
