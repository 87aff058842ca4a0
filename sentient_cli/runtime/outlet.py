"""Where a run's events enter its log: fairly, and no faster than the client that asked takes them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from sentient_cli.clock import Clock, Ids
from sentient_cli.errors import InvalidEventError, ResponseClosedError, RunOverflowError
from sentient_cli.runtime.chunks import ChunkEncoder
from sentient_cli.runtime.events import Event, encode_json
from sentient_cli.runtime.log import RunLog

__all__ = ["MAX_EVENT_SIZE", "Outlet"]

MAX_EVENT_SIZE = 16 * 1024 * 1024
"""Bytes of one event."""

_LONG_TEXT = 1024 * 1024
_TURN_EVENTS = 32
_TURN_NS = 1_000_000


class Outlet:
    """The sink of a run's response.

    A turn is 32 events or 1 ms; after it the agent lets other tasks run. The first event is a turn of its own, so that
    it is sent at once. The owner, the connection that started the run, may be behind by so much and no more.

    Args:
        log: Takes the events.
        clock: Stamps them.
        ids: Gives their ids.
        unsent_entries: Entries that the owner may be behind.
        unsent_size: Bytes that the owner may be behind.
        on_complete: Called when the agent has said all it has to say.
        on_overflow: Called when nobody reads and the log is full.
    """

    __slots__ = (
        "_clock",
        "_credit",
        "_ids",
        "_log",
        "_on_complete",
        "_on_overflow",
        "_owner_moved",
        "_owner_seq",
        "_owner_size",
        "_size_end",
        "_turn_end",
        "_unsent_entries",
        "_unsent_size",
        "closed",
        "events",
        "forced",
        "pressed",
    )

    def __init__(
        self,
        log: RunLog,
        clock: Clock,
        ids: Ids,
        *,
        unsent_entries: int,
        unsent_size: int,
        on_complete: Callable[[], None],
        on_overflow: Callable[[RunOverflowError], None],
    ) -> None:
        self._log = log
        self._clock = clock
        self._ids = ids
        self._unsent_entries = unsent_entries
        self._unsent_size = unsent_size
        self._on_complete = on_complete
        self._on_overflow = on_overflow
        self._credit = 0
        self._turn_end = 0
        self._size_end = 0
        self._owner_seq: int | None = None
        self._owner_size = 0
        self._owner_moved: asyncio.Future[None] | None = None
        self.events = 0
        """How many events there were."""
        self.closed = False
        """Whether nothing more is taken."""
        self.forced = False
        """Whether the limits of the log do not count: for a run's last words."""
        self.pressed = True
        """Whether `flow` has something to do."""

    def emit(self, event: Event) -> None:
        """Append an event to the log.

        Raises:
            ResponseClosedError: the run has ended.
            InvalidEventError: the event is too large.
            RunOverflowError: nobody reads, and the log is full; the run ends.
        """
        self.emit_encoded(encode_json(event))

    def emit_encoded(self, data: bytes) -> None:
        """Append an event, given as its wire JSON; otherwise like `emit`."""
        self._append(data, self._clock.now_ns())

    def chunk_writer(self, encoder: ChunkEncoder) -> Callable[[str], bool]:
        """A function that appends chunks of one text stream, and returns whether `flow` has something to do.

        Every token of every answer passes here. It is `emit` for chunks, in one function: what is the same for all of
        them is looked up once, and a call that is saved is a tenth of the whole.

        Args:
            encoder: That of the stream.
        """
        log = self._log
        add_chunk = log.add_chunk
        now_ns = self._clock.now_ns
        ulid_bytes = self._ids.ulid_bytes

        def write(text: str) -> bool:
            if self.closed or len(text) > _LONG_TEXT:
                return self._write_other(encoder, text)
            at = now_ns()
            try:
                add_chunk(encoder, ulid_bytes(at), text, at)
            except RunOverflowError as error:
                self._on_overflow(error)
                raise
            self.events += 1
            credit = self._credit = self._credit - 1
            if credit > 0 and at < self._turn_end and log.total_size < self._size_end:
                return False
            self.pressed = True
            return True

        return write

    def _write_other(self, encoder: ChunkEncoder, text: str) -> bool:
        at = self._clock.now_ns()
        self._append(encoder.encode(self._ids.ulid_bytes(at), text), at)
        return True

    def _append(self, data: bytes, at: int) -> None:
        if self.closed:
            raise _closed_error()
        if len(data) > MAX_EVENT_SIZE:
            raise _size_error(data)
        try:
            self._log.add("event", data, at, self.forced)
        except RunOverflowError as error:
            self._on_overflow(error)
            raise
        self.events += 1
        self._credit -= 1
        if self._credit <= 0 or at >= self._turn_end or self._log.total_size >= self._size_end:
            self.pressed = True

    async def flow(self) -> None:
        """Let others have their turn, and wait while the owner is too far behind."""
        if not self.pressed:
            return
        await asyncio.sleep(0)
        while self._owner_is_behind():
            if self._owner_moved is None or self._owner_moved.done():
                self._owner_moved = asyncio.get_running_loop().create_future()
            # Several tasks of an agent may wait here: that one of them is cancelled must not wake the others.
            await asyncio.shield(self._owner_moved)
        self._begin_turn()

    def _begin_turn(self) -> None:
        self.pressed = False
        self._turn_end = self._clock.now_ns() + _TURN_NS
        self._credit = _TURN_EVENTS
        self._size_end = sys.maxsize
        if self._owner_seq is not None:
            self._credit = min(_TURN_EVENTS, self._owner_seq + self._unsent_entries - self._log.last_seq)
            self._size_end = self._owner_size + self._unsent_size

    def complete(self) -> None:
        """The agent has said all it has to say."""
        self._on_complete()

    def close(self) -> None:
        """Take nothing more, and hold nobody back."""
        self.closed = True
        self._release()

    def _owner_is_behind(self) -> bool:
        if self._owner_seq is None or self.closed:
            return False
        return (
            self._log.last_seq - self._owner_seq >= self._unsent_entries
            or self._log.total_size - self._owner_size >= self._unsent_size
        )

    def own(self, seq: int, total_size: int) -> None:
        """The owner has sent everything up to ``seq``.

        Args:
            seq: Of the last entry sent.
            total_size: The log's ``total_size`` at that entry.
        """
        self._owner_seq = seq
        self._owner_size = total_size
        self._log.acknowledge(seq)
        self._release()

    def disown(self) -> None:
        """The owner is gone: nobody holds the agent back any more."""
        self._owner_seq = None
        self._log.acknowledge(None)
        self._release()

    def _release(self) -> None:
        moved = self._owner_moved
        if moved is not None and not moved.done():
            moved.set_result(None)


def _closed_error() -> ResponseClosedError:
    return ResponseClosedError("The run has ended", fix="Emit everything before the response ends")


def _size_error(data: bytes) -> InvalidEventError:
    return InvalidEventError(
        f"The event has {len(data)} bytes", why=f"At most {MAX_EVENT_SIZE} are allowed", fix="Split it"
    )
