"""One SQLite file on its threads: writes in groups on the process's writer thread, reads on a thread of their own.

What was asked for at the same time is committed together, so that a hundred runs cost one write to the disk and not a
hundred; each piece still succeeds or fails alone, in a savepoint of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from sentient_cli.errors import StoreError
from sentient_cli.sqlite_writes import writing
from sentient_cli.store.hints import Hints
from sentient_cli.store.lane import Lane, acquire_writer, release_writer
from sentient_cli.store.rules import closed_error
from sentient_cli.store.sqlite_file import connect_reader, connect_writer, store_error

__all__ = ["BUSY_SECONDS", "Database"]

T = TypeVar("T")
BUSY_SECONDS: Final = 10.0
"""How long a write waits for another process's lock before it fails."""
_GROUP: Final = 256


class _AnyWrite(Protocol):
    def begin(self) -> bool: ...
    def run(self, connection: sqlite3.Connection) -> None: ...
    def settle(self) -> None: ...
    def fail(self, error: BaseException) -> None: ...


class _Write(Generic[T]):
    """One piece of work of a group. It is settled only after the commit of the whole group."""

    __slots__ = ("_error", "_result", "_work", "future")

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self.future: Future[T] = Future()
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None

    def begin(self) -> bool:
        return self.future.set_running_or_notify_cancel()

    def run(self, connection: sqlite3.Connection) -> None:
        connection.execute("SAVEPOINT piece")
        try:
            self._result.append(self._work(connection))
        except sqlite3.Error:
            # It concerns the file, and may have ended the transaction: it is the error of the group.
            raise
        except Exception as error:  # noqa: BLE001 - goes to the one who waits
            self._error = error
            connection.execute("ROLLBACK TO piece")
        connection.execute("RELEASE piece")

    def settle(self) -> None:
        if self._error is None:
            self.future.set_result(self._result[0])
        else:
            self.future.set_exception(self._error)

    def fail(self, error: BaseException) -> None:
        self.future.set_exception(error)


class Database:
    """A SQLite file that several stores may share. It is opened at the first use, never on the event loop.

    Args:
        path: The file.
        busy_timeout: Seconds to wait for the locks of other processes.
    """

    def __init__(self, path: Path, *, busy_timeout: float = BUSY_SECONDS) -> None:
        self.path: Path = path.absolute()
        self.hints: Hints = Hints()
        self._timeout = busy_timeout
        self._users = 0
        self._closed = False
        self._queue: deque[_AnyWrite] = deque()
        self._lock = threading.Lock()
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._data_version = -1
        self._writer: Lane | None = None
        self._reader = Lane("sentient-store-reader", wanted=self.hints.any, tick=self._poll)

    def retain(self) -> None:
        """One more store uses this file; each calls `aclose` once."""
        self._users += 1

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in a transaction on the writer thread; when this returns, a power cut does not take it back.

        Raises:
            StoreError: the file is closed, locked for too long, full, damaged or not a store.
        """
        piece = _Write(work)
        with self._lock:
            if self._closed:
                raise closed_error()
            self._queue.append(piece)
            if len(self._queue) == 1:
                self._lane().submit(self._drain)
        return await asyncio.wrap_future(piece.future)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in one snapshot on the reader thread.

        Raises:
            StoreError: the file is closed, damaged or not a store.
        """
        if self._closed:
            raise closed_error()
        # A store that is there is opened by the reader: the writer may be waiting for another process.
        if self._reading is None and not await self._reader.call(self._open_reader):
            await self.open()
            await self._reader.call(self._open_reader)
        return await self._reader.call(lambda: self._snapshot(work))

    async def open(self) -> None:
        """Open the file now, to learn of its faults before the first use.

        Raises:
            StoreError: it is locked for too long, damaged, newer, not a store, or cannot be opened.
        """
        if self._closed:
            raise closed_error()
        await self._lane().call(self._connection)

    async def aclose(self) -> None:
        """One store less uses this file; the last one closes it after what was asked for is done."""
        self._users -= 1
        if self._users > 0 or self._closed:
            return
        with self._lock:
            self._closed = True
            writer = self._writer
        self.hints.wake_all()
        with contextlib.suppress(StoreError):
            await self._reader.call(self._close_reader)
        await self._reader.aclose()
        if writer is not None:
            await writer.call(self._close_writer)
            await release_writer(writer)

    def _lane(self) -> Lane:
        if self._writer is None:
            self._writer = acquire_writer()
        return self._writer

    def _connection(self) -> sqlite3.Connection:
        if self._writing is None:
            self._writing = connect_writer(self.path, timeout=self._timeout)
        return self._writing

    def _drain(self) -> None:
        with self._lock:
            pieces = [self._queue.popleft() for _ in range(min(_GROUP, len(self._queue)))]
            if self._queue and self._writer is not None:
                self._writer.submit(self._drain)
        group = [piece for piece in pieces if piece.begin()]
        if not group:
            return
        try:
            self._commit(group)
        except sqlite3.Error as error:
            failure: BaseException = store_error(self.path, error)
            failure.__cause__ = error
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
            failure = error
        else:
            for piece in group:
                piece.settle()
            return
        for piece in group:
            piece.fail(failure)

    def _commit(self, group: list[_AnyWrite]) -> None:
        connection = self._connection()
        with writing(connection):
            for piece in group:
                piece.run(connection)

    def _open_reader(self) -> bool:
        if self._reading is None:
            self._reading = connect_reader(self.path, timeout=self._timeout)
        return self._reading is not None

    def _snapshot(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._reading
            if connection is None:
                raise closed_error()
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise store_error(self.path, error) from error

    def _poll(self) -> None:
        """Look whether another connection, of this process or another, has committed."""
        if self._reading is None:
            return
        try:
            row: tuple[int] = self._reading.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            # Whoever waits reads, and so learns what is wrong.
            self.hints.wake_all()
            return
        if row[0] != self._data_version:
            self._data_version = row[0]
            self.hints.wake_all()

    def _close_reader(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _close_writer(self) -> None:
        while self._queue:
            self._drain()
        if self._writing is not None:
            self._writing.close()
            self._writing = None
