"""The ledger: what every call used, in one SQLite file, written behind by a thread so that no call waits for it."""

from __future__ import annotations

import contextlib
import errno
import logging
import sqlite3
import threading
import time
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
_LAST_BUSY_SECONDS: Final = 0.5
_KEEP_NS: Final = 400 * 24 * 3600 * 10**9
"""Rows are kept for a year and a month."""

_REST: Final = 2.0
"""Seconds until it is tried again to write what could not be written for a reason that passes."""
_PASSING: Final = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL),
        *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM),
    }
)
_PASSING_OF_SYSTEM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})

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

    Where the reason passes, such as a file that another process has locked or a full disk, rows wait and are written
    later on.

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
        self._lane = Lane("sentient-usage", wanted=lambda: self._is_put_off, tick=self._drain)
        self._lock = threading.Lock()
        self._waiting: deque[UsageRow] = deque()
        self._lost = 0
        self._broken = False
        self._is_put_off = False
        self._rests_until = 0.0
        self._patience = _BUSY_SECONDS
        self._connection: sqlite3.Connection | None = None

    @property
    def lost(self) -> int:
        """How many rows could not be kept."""
        return self._lost

    def add(self, row: UsageRow) -> None:
        """Take a row; returns at once and never fails."""
        with self._lock:
            if len(self._waiting) >= _WAITING:
                self._lose(1, "It cannot be written as fast as calls are made, or for too long")
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
        """Wait until what was added is written, given up, or put off."""
        await self._lane.call(lambda: self._drain(at_once=True))

    async def aclose(self) -> None:
        """Write what waits and give everything back. May be called twice."""
        with contextlib.suppress(StoreError):
            await self._lane.call(self._close)
        await self._lane.aclose()

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        def job() -> T | None:
            self._drain()
            is_resting = self._connection is None and time.monotonic() < self._rests_until
            connection = None if is_resting else self._open()
            try:
                return work(connection) if connection is not None else None
            except sqlite3.Error as error:
                self._fail(error)
                return None

        return await self._lane.call(job)

    def _drain(self, *, at_once: bool = False, is_last: bool = False) -> None:
        if not at_once and time.monotonic() < self._rests_until:
            return
        with self._lock:
            rows, self._waiting = list(self._waiting), deque()
        self._is_put_off = False
        if not rows:
            return
        connection = self._open()
        if connection is not None:
            self._write(connection, rows)
        if self._is_put_off and not is_last:
            with self._lock:
                self._waiting.extendleft(reversed(rows))
        elif connection is None or self._is_put_off:
            self._lose(len(rows), "It was in use, or the disk full, up to the end" if self._is_put_off else "")

    def _write(self, connection: sqlite3.Connection, rows: list[UsageRow]) -> None:
        try:
            values = [row_values(self._priced(row)) for row in rows if not row.once]
            first = [row_values(self._priced(row)) for row in rows if row.once]
            with writing(connection):
                connection.executemany(INSERT, values)
                connection.executemany(INSERT_ONCE, first)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the file is free for the next ones
            if not self._put_off(error):
                self._fail(error)
                self._lose(len(rows), "")
            return
        if self._rests_until:
            self._rests_until = 0.0
            _logger.info("The ledger of usage is written again: %s", self.path)

    def _put_off(self, error: Exception) -> bool:
        """Try again later, if that may help; say so once."""
        if not _passes(error):
            return False
        if not self._rests_until:
            _logger.warning("The ledger of usage cannot be written now; it is tried again: %s: %s", self.path, error)
        self._is_put_off, self._rests_until = True, time.monotonic() + _REST
        return True

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
                connection = connect(self.path, SCHEMA, _VERSION, busy_seconds=self._patience)
                with contextlib.ExitStack() as failing:
                    failing.callback(connection.close)
                    self._begin(connection)
                    failing.pop_all()
                self._connection = connection
            except (sqlite3.Error, OSError, StoreError) as error:
                if not self._put_off(error):
                    self._broken = True
                    self._fail(error)
        return self._connection

    def _begin(self, connection: sqlite3.Connection) -> None:
        connection.execute(MAKE)
        connection.execute("DELETE FROM usage WHERE at < ?", (self._clock.now_ns() - _KEEP_NS,))
        self._spend_unread(connection)

    def _spend_unread(self, connection: sqlite3.Connection) -> None:
        spend_unread(connection, self._clock.now_ns() - KEPT_NS)

    def _fail(self, error: Exception) -> None:
        _logger.warning("The ledger of usage cannot be written: %s: %s", self.path, error)

    def _lose(self, rows: int, why: str) -> None:
        if why and not self._lost:
            _logger.warning("The ledger of usage is not complete: %s", why)
        self._lost += rows

    def _close(self) -> None:
        if time.monotonic() < self._rests_until:  # it was waited for just now
            self._patience = _LAST_BUSY_SECONDS
            if self._connection is not None:
                self._connection.execute(f"PRAGMA busy_timeout = {round(self._patience * 1000)}")
        self._drain(at_once=True, is_last=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _passes(error: Exception) -> bool:
    """Whether what cannot be written now may be written later."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING
    return isinstance(error, OSError) and error.errno in _PASSING_OF_SYSTEM


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
