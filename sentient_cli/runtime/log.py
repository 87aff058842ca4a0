"""The log of one run while it lives: in memory, the truth, bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from sentient_cli.clock import Clock
from sentient_cli.errors import CursorError, CursorExpiredError, LogSequenceError, RunOverflowError
from sentient_cli.store.entry import Entry

__all__ = ["LogLimits", "RunLog"]

_EVICT_AT_ONCE = 1024
_new_entry = cast("Callable[[type[Entry], tuple[int, int, str, bytes]], Entry]", tuple.__new__)


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much a live log holds.

    Args:
        entries: How many entries, at the most.
        size: How many bytes of data, at the most.
    """

    entries: int = 100_000
    size: int = 64 * 1024 * 1024


class RunLog:
    """The entries of one run, from the first that is still held to the last.

    Appending never waits. Past its limits the log forgets what its owner, the connection that started the run, has sent
    already, or, when only others read, the oldest entries. When nobody reads nothing is forgotten: appending fails.

    Args:
        run_id: The run that the entries are of.
        clock: Stamps the entries.
        limits: How much is held.
        listeners: Called with each entry as it is appended: storage and hooks. They must not raise or wait.
    """

    __slots__ = (
        "_acknowledged",
        "_clock",
        "_entries",
        "_first_seq",
        "_limits",
        "_listeners",
        "_size",
        "_wakers",
        "finished",
        "last_at",
        "last_seq",
        "run_id",
        "total_size",
    )

    def __init__(
        self,
        run_id: str,
        clock: Clock,
        limits: LogLimits | None = None,
        listeners: Sequence[Callable[[Entry], None]] = (),
    ) -> None:
        self.run_id = run_id
        self.last_seq = 0
        self.finished = False
        self.total_size = 0
        self._clock = clock
        self._limits = limits or LogLimits()
        self._listeners = tuple(listeners)
        self._entries: list[Entry] = []
        self._first_seq = 1
        self._size = 0
        self.last_at = 0
        self._acknowledged: int | None = None
        self._wakers: list[Callable[[], None]] = []

    @property
    def first_seq(self) -> int:
        """The first seq that is still held."""
        return self._first_seq

    @property
    def size(self) -> int:
        """The bytes of data held."""
        return self._size

    def append(self, type: str, data: bytes, *, forced: bool = False) -> Entry:  # noqa: A002 - the field's name
        """Add an entry and wake the readers.

        Args:
            type: One of the types of `sentient_cli.store.entry`.
            data: Compact JSON.
            forced: The end of a run is written whatever the limits say.

        Raises:
            LogSequenceError: the log is finished.
            RunOverflowError: the log is full of entries that nobody has read.
        """
        if self.finished:
            raise LogSequenceError(f"The log of run {self.run_id} is finished")
        if (len(self._entries) >= self._limits.entries or self._size >= self._limits.size) and not forced:
            self._evict()
        at = self._clock.now_ns()
        if at < self.last_at:  # noqa: PLR1730 - max() costs three times as much
            at = self.last_at
        self.last_at = at
        seq = self.last_seq = self.last_seq + 1
        entry = _new_entry(Entry, (seq, at, type, data))  # half the cost of Entry(...)
        self._entries.append(entry)
        size = len(data)
        self._size += size
        self.total_size += size
        if type == "run.finished":
            self.finished = True
        for listener in self._listeners:
            listener(entry)
        for wake in self._wakers:
            wake()
        return entry

    def read(self, after: int, limit: int = 256) -> list[Entry]:
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

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` after each appended entry, until `unsubscribe`."""
        self._wakers.append(wake)

    def unsubscribe(self, wake: Callable[[], None]) -> None:
        """Undo `subscribe`."""
        if wake in self._wakers:
            self._wakers.remove(wake)

    @property
    def readers(self) -> int:
        """How many readers are subscribed."""
        return len(self._wakers)

    def acknowledge(self, seq: int | None) -> None:
        """The owner has sent all up to ``seq``, which may be forgotten under pressure; None: there is no owner."""
        self._acknowledged = seq

    def _evict(self) -> None:
        # With an owner, what it has sent; without one, whoever watches has to keep up, but somebody has to watch.
        read = self._acknowledged if self._acknowledged is not None else self.last_seq if self._wakers else 0
        count = min(read + 1 - self._first_seq, _EVICT_AT_ONCE)
        if count <= 0:
            raise RunOverflowError(
                f"Run {self.run_id} wrote {len(self._entries)} entries ({self._size} bytes) that nobody has read",
                why=f"A log holds at most {self._limits.entries} entries and {self._limits.size} bytes",
                fix="Emit less, or keep a client connected that reads",
            )
        self._size -= sum(len(entry.data) for entry in self._entries[:count])
        del self._entries[:count]
        self._first_seq += count
