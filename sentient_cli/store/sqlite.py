"""Stores in one SQLite file, shared by any number of processes of one machine."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

from sentient_cli.errors import StoreError
from sentient_cli.store.database import Database
from sentient_cli.store.entry import Entry
from sentient_cli.store.ports import KeptRow, KeptRun, LogHead, Row
from sentient_cli.store.rules import (
    BLOB_BYTES,
    advance,
    check_append,
    check_cursor,
    check_key,
    check_run_id,
    is_key,
    is_run_id,
    is_text,
    version_conflict,
)

__all__ = ["SQLiteEventLog", "SQLiteStateStore"]

_SEQ_BITS: Final = 32
_MAX_LIMIT: Final = 2**31


class _Run(NamedTuple):
    number: int
    first_seq: int
    last_seq: int
    finished: int

    def head(self) -> LogHead:
        return LogHead(self.first_seq, self.last_seq, bool(self.finished))


class SQLiteEventLog:
    """An `EventLog` in a SQLite file.

    Args:
        database: The file; it may be shared with other stores.

    Example:
        >>> import asyncio, tempfile
        >>> from pathlib import Path
        >>> async def main(directory: str) -> LogHead | None:
        ...     log = SQLiteEventLog(Database(Path(directory, "runs.db")))
        ...     await log.append("0f3c", [Entry(1, 0, "run.started", b"{}")])
        ...     head = await log.head("0f3c")
        ...     await log.aclose()
        ...     return head
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     asyncio.run(main(directory))
        LogHead(first_seq=1, last_seq=1, finished=False)
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = False
        database.retain()

    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Append entries that continue the log, all or none; a power cut does not take them back."""
        check_run_id(run_id)
        if entries:
            await self._database.write(partial(_append, run_id, tuple(entries)))
            self._database.hints.wake(run_id)

    async def read(self, run_id: str, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most ``limit`` entries with a seq greater than ``after``, in order."""
        return await self._database.read(partial(_read, run_id, after, _limit(limit)))

    async def wait(self, run_id: str, *, after: int) -> None:
        """Return once there may be entries after ``after``, whichever process appends them."""
        with self._database.hints.waiter(run_id) as event:
            head = await self.head(run_id)
            if head is None or not (head.finished or head.last_seq > after):
                await event.wait()

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands, or None when the run is unknown."""
        run = await self._database.read(partial(_find, run_id))
        return None if run is None else run.head()

    async def runs(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs kept, the newest first."""
        return await self._names("SELECT run FROM runs ORDER BY number DESC LIMIT ?", limit)

    async def unfinished(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs without a terminal entry, the oldest first."""
        return await self._names("SELECT run FROM runs WHERE finished = 0 ORDER BY number LIMIT ?", limit)

    async def _names(self, query: str, limit: int) -> list[str]:
        def work(connection: sqlite3.Connection) -> list[str]:
            rows: list[tuple[str]] = connection.execute(query, (_limit(limit),)).fetchall()
            return [row[0] for row in rows]

        return await self._database.read(work)

    async def kept(self, *, skip: int = 0, limit: int = 100_000) -> list[KeptRun]:
        """What each of the runs kept takes, the newest first, without the first ``skip`` of them."""

        def work(connection: sqlite3.Connection) -> list[KeptRun]:
            query = "SELECT run, last_at, size, finished FROM runs ORDER BY number DESC LIMIT ? OFFSET ?"
            rows: list[tuple[str, int, int, int]] = connection.execute(query, (_limit(limit), skip)).fetchall()
            return [KeptRun(run, last_at, size, bool(finished)) for run, last_at, size, finished in rows]

        return await self._database.read(work)

    async def discard(self, run_id: str, *, before: int | None = None) -> None:
        """Forget a run, or only its entries with a seq less than ``before``."""
        await self._database.write(partial(_discard, run_id, before))

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        if not self._closed:
            self._closed = True
            await self._database.aclose()


def _limit(limit: int) -> int:
    return min(max(0, limit), _MAX_LIMIT)


def _find(run_id: str, connection: sqlite3.Connection) -> _Run | None:
    if not is_run_id(run_id):
        return None
    query = "SELECT number, first_seq, last_seq, finished FROM runs WHERE run = ?"
    row: tuple[int, int, int, int] | None = connection.execute(query, (run_id,)).fetchone()
    return None if row is None else _Run(*row)


def _append(run_id: str, entries: tuple[Entry, ...], connection: sqlite3.Connection) -> None:
    run = _find(run_id, connection)
    old = None if run is None else run.head()
    check_append(old, entries)
    head = advance(old, entries)
    size = sum(len(entry.data) for entry in entries)
    if run is None:
        number = connection.execute(
            "INSERT INTO runs (run, first_seq, last_seq, finished, last_at, size) VALUES (?, 1, ?, ?, ?, ?)",
            (run_id, head.last_seq, head.finished, entries[-1].at, size),
        ).lastrowid
        base = (number or 0) << _SEQ_BITS
    else:
        connection.execute(
            "UPDATE runs SET last_seq = ?, finished = ?, last_at = ?, size = size + ? WHERE number = ?",
            (head.last_seq, head.finished, entries[-1].at, size, run.number),
        )
        base = run.number << _SEQ_BITS
    connection.executemany(
        "INSERT INTO entries (key, at, type, data, blob) VALUES (?, ?, ?, ?, ?)",
        [(base | entry.seq, entry.at, entry.type, *_keep(entry.data, connection)) for entry in entries],
    )


def _keep(data: bytes, connection: sqlite3.Connection) -> tuple[bytes, bytes | None]:
    if len(data) <= BLOB_BYTES:
        return data, None
    digest = hashlib.sha256(data).digest()
    connection.execute("INSERT OR IGNORE INTO blobs (hash, data) VALUES (?, ?)", (digest, data))
    return b"", digest


def _read(run_id: str, after: int, limit: int, connection: sqlite3.Connection) -> list[Entry]:
    run = _find(run_id, connection)
    check_cursor(None if run is None else run.head(), after)
    if run is None:
        return []
    base = run.number << _SEQ_BITS
    query = """SELECT e.key, e.at, e.type, e.data, e.blob, b.data FROM entries e LEFT JOIN blobs b ON b.hash = e.blob
        WHERE e.key > ? AND e.key <= ? ORDER BY e.key LIMIT ?"""
    rows: list[tuple[int, int, str, bytes, bytes | None, bytes | None]] = connection.execute(
        query, (base | after, base | run.last_seq, limit)
    ).fetchall()
    return [
        Entry(key - base, at, kind, data if digest is None else _resolve(key - base, digest, blob))
        for key, at, kind, data, digest, blob in rows
    ]


def _resolve(seq: int, digest: bytes, blob: bytes | None) -> bytes:
    if blob is None or hashlib.sha256(blob).digest() != digest:
        raise StoreError(f"The data of entry {seq} is damaged", why="It does not match its SHA-256")
    return blob


def _discard(run_id: str, before: int | None, connection: sqlite3.Connection) -> None:
    run = _find(run_id, connection)
    if run is None:
        return
    first = run.last_seq + 1 if before is None else min(max(before, run.first_seq), run.last_seq + 1)
    base = run.number << _SEQ_BITS
    span = (base, base | (first - 1))
    gone: tuple[int] = connection.execute(
        """SELECT coalesce(sum(length(e.data) + coalesce(length(b.data), 0)), 0) FROM entries e
        LEFT JOIN blobs b ON b.hash = e.blob WHERE e.key > ? AND e.key <= ?""",
        span,
    ).fetchone()
    blobs: list[tuple[bytes]] = connection.execute(
        "SELECT DISTINCT blob FROM entries WHERE key > ? AND key <= ? AND blob IS NOT NULL", span
    ).fetchall()
    connection.execute("DELETE FROM entries WHERE key > ? AND key <= ?", span)
    # Other runs may hold the same data.
    connection.executemany(
        "DELETE FROM blobs WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM entries WHERE blob = ?1)", blobs
    )
    if before is None:
        connection.execute("DELETE FROM runs WHERE number = ?", (run.number,))
    else:
        connection.execute(
            "UPDATE runs SET first_seq = ?, size = size - ? WHERE number = ?", (first, gone[0], run.number)
        )


class SQLiteStateStore:
    """A `StateStore` in a SQLite file.

    Args:
        database: The file; it may be shared with other stores.

    Example:
        >>> import asyncio, tempfile
        >>> from pathlib import Path
        >>> async def main(directory: str) -> int:
        ...     store = SQLiteStateStore(Database(Path(directory, "state.db")))
        ...     version = await store.put("session/1", b"{}", expected=0)
        ...     await store.aclose()
        ...     return version
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     asyncio.run(main(directory))
        1
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = False
        database.retain()

    async def get(self, key: str) -> Row | None:
        """The row, or None when there is none."""
        return await self._database.read(partial(_get, key))

    async def put(self, key: str, value: bytes, *, expected: int, at: int = 0) -> int:
        """Write a row when its version is ``expected`` (0: it must not exist) and return the new version."""
        check_key(key)

        def work(connection: sqlite3.Connection) -> int:
            _check_version(key, expected, connection)
            # A new row each time: its AUTOINCREMENT number is the version, and is never given twice.
            connection.execute("DELETE FROM state WHERE key = ?", (key,))
            row = (key, bytes(value), at)
            return connection.execute("INSERT INTO state (key, value, at) VALUES (?, ?, ?)", row).lastrowid or 0

        return await self._database.write(work)

    async def delete(self, key: str, *, expected: int) -> None:
        """Remove a row when its version is ``expected``."""

        def work(connection: sqlite3.Connection) -> None:
            if expected < 1:
                raise version_conflict(key, expected, _get(key, connection))
            _check_version(key, expected, connection)
            connection.execute("DELETE FROM state WHERE key = ?", (key,))

        await self._database.write(work)

    async def kept(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[KeptRow]:
        """What is kept under the keys that begin with ``prefix`` and come after another one, sorted by them."""

        def work(connection: sqlite3.Connection) -> list[KeptRow]:
            if not is_text(prefix) or not is_text(after):
                return []
            query = "SELECT key, version, at, length(value) FROM state WHERE key >= ? AND key > ? ORDER BY key LIMIT ?"
            rows: list[tuple[str, int, int, int]] = connection.execute(query, (prefix, after, _limit(limit))).fetchall()
            return [KeptRow(*row) for row in rows if row[0].startswith(prefix)]

        return await self._database.read(work)

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        if not self._closed:
            self._closed = True
            await self._database.aclose()


def _get(key: str, connection: sqlite3.Connection) -> Row | None:
    if not is_key(key):
        return None
    row: tuple[bytes, int] | None = connection.execute(
        "SELECT value, version FROM state WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else Row(*row)


def _check_version(key: str, expected: int, connection: sqlite3.Connection) -> None:
    row = _get(key, connection)
    if (0 if row is None else row.version) != expected:
        raise version_conflict(key, expected, row)
