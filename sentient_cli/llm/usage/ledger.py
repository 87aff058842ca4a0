"""The ledger: what every call used, in one SQLite file, written behind by a thread so that no call waits for it."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from sentient_cli import paths
from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import StoreError
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.sqlite import check_version, connect, make_private, version_of
from sentient_cli.llm.usage.held import KEPT_NS, MAKE, HeldBatch, hold, let_go, spend_unread, sum_of_held
from sentient_cli.llm.usage.rows import INSERT, INSERT_ONCE, SCHEMA, UsageRow, row_values
from sentient_cli.sqlite_writes import writing
from sentient_cli.store.lane import Lane

__all__ = ["UsageLedger", "ledger_file", "open_for_reading"]

T = TypeVar("T")
_VERSION: Final = 1
_WAITING: Final = 10_000
"""So many rows wait at most; past it the newest are left out, and that is said once."""
_BUSY_SECONDS: Final = 5.0
_KEEP_NS: Final = 400 * 24 * 3600 * 10**9
"""Rows are kept for a year and a month."""

_logger = logging.getLogger(__name__)


def ledger_file() -> Path:
    """Where the ledger of this user is.

    Example:
        >>> ledger_file().name
        'usage.db'
    """
    return paths.state_dir() / "usage.db"


class UsageLedger:
    """Takes rows and writes them in the background. What cannot be written is reported once and harms no call.

    Args:
        path: The file; made with the first row, readable by its owner only.
        prices: Gives the cost of a row that has none.
        clock: Tells which rows are too old.

    Example:
        >>> import asyncio, tempfile
        >>> async def main() -> float:
        ...     with tempfile.TemporaryDirectory() as folder:
        ...         ledger = UsageLedger(Path(folder, "usage.db"))
        ...         ledger.add(UsageRow(call="1", at=5, provider="offline", model="echo", input=1, output=1, cost=0.25))
        ...         spent = await ledger.spent(since=0)
        ...         await ledger.aclose()
        ...         return spent
        >>> asyncio.run(main())
        0.25
    """

    def __init__(self, path: Path, *, prices: PriceBook | None = None, clock: Clock | None = None) -> None:
        self.path: Path = path
        self._prices = prices
        self._clock = clock or SystemClock()
        self._lane = Lane("sentient-usage")
        self._lock = threading.Lock()
        self._waiting: deque[UsageRow] = deque()
        self._lost = 0
        self._broken = False
        self._connection: sqlite3.Connection | None = None

    @property
    def lost(self) -> int:
        """How many rows could not be kept."""
        return self._lost

    def add(self, row: UsageRow) -> None:
        """Take a row; returns at once and never fails."""
        with self._lock:
            if len(self._waiting) >= _WAITING:
                self._lose(1, "It cannot be written as fast as calls are made")
                return
            self._waiting.append(row)
            first = len(self._waiting) == 1
        if first:
            with contextlib.suppress(StoreError):
                self._lane.submit(self._drain)

    async def spent(self, *, since: int, session: str | None = None, profile: str | None = None) -> float:
        """What was spent since a moment, in US dollars, with all rows that were added so far.

        Args:
            since: Nanoseconds since the epoch.
            session: Only in this session.
            profile: Only with this profile.
        """
        wanted = {"session": session, "profile": profile}
        named = {name: value for name, value in wanted.items() if value is not None}
        where = "".join(f" AND {name} = ?" for name in named)

        def work(connection: sqlite3.Connection) -> float:
            query = f"SELECT total(cost) FROM usage WHERE at >= ?{where}"  # noqa: S608 - the names are ours
            row: tuple[float] = connection.execute(query, (since, *named.values())).fetchone()
            return row[0]

        return await self._read(work) or 0.0

    async def held(self, *, since: int, session: str | None = None, profile: str | None = None) -> float:
        """What is set aside for batches whose results were not read yet, in US dollars.

        Args:
            since: Only for those that were handed in since then, in nanoseconds since the epoch.
            session: Only for those of this session.
            profile: Only for those of this profile.
        """
        return await self._read(lambda connection: sum_of_held(connection, since, session, profile)) or 0.0

    async def hold(self, batch: HeldBatch) -> bool:
        """Set something aside for a batch; whether that is written.

        Args:
            batch: What, and for which.
        """

        def work(connection: sqlite3.Connection) -> bool:
            hold(connection, batch)
            self._spend_unread(connection)  # a server may go on for months
            return True

        return await self._read(work) or False

    async def let_go(self, batch: str, share: float = 0.0) -> None:
        """Set less aside for a batch, or nothing, once what was added before is written.

        Args:
            batch: As `HeldBatch.key_of` puts it together.
            share: Of what was set aside at first.
        """
        await self._read(lambda connection: let_go(connection, batch, share))

    async def flush(self) -> None:
        """Wait until what was added is written, or given up."""
        await self._lane.call(self._drain)

    async def aclose(self) -> None:
        """Write what waits and give everything back. May be called twice."""
        with contextlib.suppress(StoreError):
            await self._lane.call(self._close)
        await self._lane.aclose()

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        def job() -> T | None:
            self._drain()
            connection = self._open()
            try:
                return work(connection) if connection is not None else None
            except sqlite3.Error as error:
                self._fail(error)
                return None

        return await self._lane.call(job)

    def _drain(self) -> None:
        with self._lock:
            rows, self._waiting = list(self._waiting), deque()
        if not rows:
            return
        connection = self._open()
        if connection is None:
            self._lose(len(rows), "")
            return
        try:
            values = [row_values(self._priced(row)) for row in rows if not row.once]
            first = [row_values(self._priced(row)) for row in rows if row.once]
            with writing(connection):
                connection.executemany(INSERT, values)
                connection.executemany(INSERT_ONCE, first)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the file is free for the next ones
            self._fail(error)
            self._lose(len(rows), "")

    def _priced(self, row: UsageRow) -> UsageRow:
        prices = self._prices
        if prices is not None and row.final and not row.cached and row.cost is None and not row.wasted:
            prices.read(row.provider, row.model, row.tier)
            row.cost = prices.cost(row.provider, row.model, row.tokens, row.tier)
        return row

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._broken:
            try:
                make_private(self.path)
                self._connection = connect(self.path, SCHEMA, _VERSION, busy_seconds=_BUSY_SECONDS)
                old = self._clock.now_ns() - _KEEP_NS
                self._connection.execute(MAKE)
                self._connection.execute("DELETE FROM usage WHERE at < ?", (old,))
                self._spend_unread(self._connection)
            except (sqlite3.Error, OSError, StoreError) as error:
                self._broken = True
                self._fail(error)
        return self._connection

    def _spend_unread(self, connection: sqlite3.Connection) -> None:
        spend_unread(connection, self._clock.now_ns() - KEPT_NS)

    def _fail(self, error: Exception) -> None:
        _logger.warning("The ledger of usage cannot be written: %s: %s", self.path, error)

    def _lose(self, rows: int, why: str) -> None:
        if why and not self._lost:
            _logger.warning("The ledger of usage is not complete: %s", why)
        self._lost += rows

    def _close(self) -> None:
        self._drain()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """The ledger, for reading only; None: nothing was ever written.

    Raises:
        StoreError: it is damaged, no ledger, or of another version.
    """
    if not path.is_file():
        return None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            if version_of(connection) == 0:
                connection.close()
                return None
            check_version(connection, path, _VERSION)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(
            f"The ledger {path} cannot be read", why=str(error), fix="Move it away to begin anew"
        ) from error
    return connection
