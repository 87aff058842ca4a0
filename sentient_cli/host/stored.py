"""Runs that are not in memory, but that a store may have: of earlier days, or of another server on the same store."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from sentient_cli.clock import Clock
from sentient_cli.errors import CursorError, RunNotFoundError, StoreError
from sentient_cli.host.owner import has_ended
from sentient_cli.host.retention import KeepLimits
from sentient_cli.store.entry import Entry
from sentient_cli.store.open import Stores, keep
from sentient_cli.store.ports import LogHead

__all__ = ["StoredRun", "StoredRuns"]

S = TypeVar("S", bound=msgspec.Struct)

_RUN_ID = re.compile("[0-9a-z-]{1,128}")

_logger = logging.getLogger(__name__)


class _Start(msgspec.Struct):
    agent: str | None = None
    session: str | None = None
    query: str | None = None
    process: str | None = None


class _End(msgspec.Struct):
    outcome: str | None = None


_start_decoder = msgspec.json.Decoder(_Start)
_end_decoder = msgspec.json.Decoder(_End)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """Where a run stands that only the store has. What its log does not tell is None.

    Args:
        run_id: Which.
        agent: Who answered.
        session: The chat.
        query: What was asked.
        finished: Whether its log has its end.
        outcome: How it ended.
        first_seq: The first seq that is kept.
        last_seq: The last.
        going_on: Whether another process may still be at it. Without an end, and not going on, it was interrupted.
    """

    run_id: str
    agent: str | None
    session: str | None
    query: str | None
    finished: bool
    outcome: str | None
    first_seq: int
    last_seq: int
    going_on: bool = False


class StoredRuns:
    """Looks at the runs of a store.

    Args:
        stores: Which; None: there are no runs.
        clock: Tells how old they are.
        longest: Seconds that a run can take from its start to its last entry, whoever runs it.
    """

    def __init__(self, stores: Stores | None, clock: Clock, longest: float) -> None:
        self._stores = stores
        self._clock = clock
        self._longest = int(longest * 1e9)

    async def find(self, run_id: str) -> StoredRun:
        """Where a run stands.

        Raises:
            RunNotFoundError: the store does not have it, or cannot be read.
        """
        head = await self._head(run_id)
        try:
            return await self._describe(run_id, head)
        except StoreError as error:
            raise _unreadable(run_id, error) from error

    async def _describe(self, run_id: str, head: LogHead) -> StoredRun:
        first = await self._entry(run_id, head.first_seq)
        last = await self._entry(run_id, head.last_seq)
        start = _decode(_start_decoder, first, "run.started") or _Start()
        end = _decode(_end_decoder, last, "run.finished") or _End()
        return StoredRun(
            run_id,
            start.agent,
            start.session,
            start.query,
            head.finished,
            end.outcome,
            head.first_seq,
            head.last_seq,
            not head.finished and self._may_go_on(first or last, start.process),
        )

    def _may_go_on(self, first: Entry | None, process: str | None) -> bool:
        if first is None or first.at + self._longest < self._clock.now_ns():
            return False
        return process is None or not has_ended(process)

    async def _entry(self, run_id: str, seq: int) -> Entry | None:
        if self._stores is None:
            return None
        return next(iter(await self._stores.events.read(run_id, after=seq - 1, limit=1)), None)

    async def read(self, run_id: str, after: int, limit: int = 256) -> list[Entry]:
        """Entries of a run. At and past the last one of a log without an end there are none.

        What its clients were sent is ahead of what is stored, and stays so where its process was killed.

        Raises:
            RunNotFoundError: the store does not have it, or cannot be read.
            CursorError: the cursor is not one of this log.
        """
        head = await self._head(run_id)
        if not head.finished and after >= head.last_seq:
            return []
        try:
            return [] if self._stores is None else await self._stores.events.read(run_id, after=after, limit=limit)
        except CursorError:
            raise
        except StoreError as error:
            raise _unreadable(run_id, error) from error

    async def _head(self, run_id: str) -> LogHead:
        if not _RUN_ID.fullmatch(run_id):
            raise _unknown()
        try:
            head = None if self._stores is None else await self._stores.events.head(run_id)
        except StoreError as error:
            raise _unreadable(run_id, error) from error
        if head is None:
            raise _unknown()
        return head

    async def prune(self, limits: KeepLimits) -> None:
        """Forget the finished runs that are beyond the limits, and of those that were interrupted as well."""
        if self._stores is None:
            return
        try:
            await keep(
                self._stores.events,
                self._clock,
                count=limits.count,
                seconds=limits.seconds,
                size=limits.size,
                longest=self._longest / 1e9,
            )
        except StoreError:
            _logger.warning("Old runs could not be removed from the store", exc_info=True)


def _decode(decoder: msgspec.json.Decoder[S], entry: Entry | None, type: str) -> S | None:  # noqa: A002
    if entry is None or entry.type != type:
        return None
    try:
        return decoder.decode(entry.data)
    except msgspec.DecodeError:
        return None


def _unknown() -> RunNotFoundError:
    return RunNotFoundError("There is no such run", why="It never was, or is no longer kept")


def _unreadable(run_id: str, error: StoreError) -> RunNotFoundError:
    _logger.warning("The log of run %s could not be read", run_id, exc_info=error)
    return _unknown()
