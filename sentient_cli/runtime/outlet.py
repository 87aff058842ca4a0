"""Where a run's events enter its log: fairly, and no faster than the client that asked takes them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from sentient_cli.clock import Clock, Ids
from sentient_cli.errors import InvalidEventError
from sentient_cli.runtime.chunks import ChunkEncoder
from sentient_cli.runtime.events import Event, encode_event
from sentient_cli.runtime.log import RunLog, closed_error

__all__ = ["MAX_EVENT_SIZE", "Outlet"]

MAX_EVENT_SIZE = 16 * 1024 * 1024
"""Bytes of one event."""

_TURN_EVENTS = 32
_TURN_NS = 1_000_000


class Outlet:
    """The sink of a run's response.

    A turn is 32 events or 1 ms; after it the agent lets other tasks run. The first event is a turn of its own, so that
    it is sent at once. The owner, the connection that started the run, may be behind by so much and no more.

    Args:
        log: Takes the events.
        clock: Tells when a turn is over.
        ids: Gives the ids of chunks.
        unsent_entries: Entries that the owner may be behind.
        unsent_size: Bytes that the owner may be behind.
        on_complete: Called when the agent has said all it has to say.
        on_late: Called when it says more after that.
    """

    __slots__ = (
        "_clock",
        "_ids",
        "_log",
        "_on_complete",
        "_on_late",
        "_owner_moved",
        "_owner_seq",
        "_owner_size",
        "_unsent_entries",
        "_unsent_size",
        "forced",
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
        on_late: Callable[[], None],
    ) -> None:
        self._log = log
        self._clock = clock
        self._ids = ids
        self._unsent_entries = unsent_entries
        self._unsent_size = unsent_size
        self._on_complete = on_complete
        self._on_late = on_late
        self._owner_seq: int | None = None
        self._owner_size = 0
        self._owner_moved: asyncio.Future[None] | None = None
        self.forced: bool = False
        """Whether the limits of the log do not count: for a run's last words."""

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._log.finished

    def emit(self, event: Event) -> None:
        """Append an event to the log.

        Raises:
            ResponseClosedError: the run has ended.
            InvalidEventError: the event is too large, or no JSON.
            RunOverflowError: nobody reads, and the log is full; the run ends.
        """
        self.emit_encoded(encode_event(event))

    def emit_encoded(self, data: bytes) -> None:
        """Append an event, given as its wire JSON; otherwise like `emit`."""
        if self._log.finished:
            raise closed_error(self._log.run_id)
        if len(data) > MAX_EVENT_SIZE:
            raise InvalidEventError(
                f"The event has {len(data)} bytes", why=f"At most {MAX_EVENT_SIZE} are allowed", fix="Split it"
            )
        self._log.append("event", data, forced=self.forced)

    def chunk_writer(self, encoder: ChunkEncoder) -> Callable[[str], bool]:
        """A function that appends chunks of one text stream, and returns whether `flow` has something to do.

        Args:
            encoder: That of the stream.
        """
        return self._log.chunk_appender(encoder, self._ids)

    async def flow(self) -> None:
        """Let others have their turn, and wait while the owner is too far behind."""
        if not self._log.mark_passed:
            return
        await asyncio.sleep(0)
        while self._owner_is_behind():
            if self._owner_moved is None or self._owner_moved.done():
                self._owner_moved = asyncio.get_running_loop().create_future()
            # Several tasks of an agent may wait here: that one of them is cancelled must not wake the others.
            await asyncio.shield(self._owner_moved)
        self._begin_turn()

    def _begin_turn(self) -> None:
        self._log.relieve()
        seq = self._log.last_seq + _TURN_EVENTS
        size = sys.maxsize
        if self._owner_seq is not None:
            seq = min(seq, self._owner_seq + self._unsent_entries)
            size = self._owner_size + self._unsent_size
        self._log.set_marks(seq, self._clock.now_ns() + _TURN_NS, size)

    def complete(self) -> None:
        """The agent has said all it has to say."""
        self._on_complete()

    def late(self) -> None:
        """Something was emitted after the end, and is refused."""
        self._on_late()

    def _owner_is_behind(self) -> bool:
        if self._owner_seq is None or self._log.finished:
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
        self.release()

    def disown(self) -> None:
        """The owner is gone: nobody holds the agent back any more."""
        self._owner_seq = None
        self._log.acknowledge(None)
        self.release()

    def hold(self, ahead: int) -> None:
        """Nobody reads for now, and somebody may come back: the agent may go on for a while, and then waits.

        Args:
            ahead: Bytes that it may write until `own` or `disown`.
        """
        self._owner_seq = sys.maxsize
        self._owner_size = self._log.total_size + ahead - self._unsent_size
        self.release()

    def release(self) -> None:
        """Let those who wait in `flow` look again."""
        moved = self._owner_moved
        if moved is not None and not moved.done():
            moved.set_result(None)
