"""Opening one SQLite file: permissions, pragmas, schema, integrity, and what its errors mean.

WAL and `synchronous=FULL`: https://www.sqlite.org/wal.html, https://www.sqlite.org/pragma.html#pragma_synchronous.
With `NORMAL` a power cut can take back what was committed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from sentient_cli.errors import StoreError
from sentient_cli.sqlite_writes import writing

__all__ = ["SCHEMA_VERSION", "connect_reader", "connect_writer", "store_error"]

SCHEMA_VERSION: Final = 2
_FIRST_VERSION: Final = 1
"""Its rows had no times."""
_CHECKED_BYTES: Final = 256 * 1024 * 1024
"""Files up to this size are checked whole when they are opened; beyond it that would hold up the start."""
_RETRY_SECONDS: Final = 0.02

# The key of an entry is its run's number and its seq in one integer: entries of a run lie together without an index.
_SCHEMA: Final = (
    "CREATE TABLE sentient_schema (version INTEGER NOT NULL)",
    """CREATE TABLE runs (number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE,
        first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, finished INTEGER NOT NULL,
        last_at INTEGER NOT NULL, size INTEGER NOT NULL)""",
    "CREATE INDEX runs_unfinished ON runs (number) WHERE finished = 0",
    """CREATE TABLE entries (key INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL,
        data BLOB NOT NULL, blob BLOB)""",
    "CREATE INDEX entries_blob ON entries (blob) WHERE blob IS NOT NULL",
    "CREATE TABLE blobs (hash BLOB PRIMARY KEY, data BLOB NOT NULL)",
    """CREATE TABLE state (version INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL,
        at INTEGER NOT NULL DEFAULT 0)""",
)

_MEANINGS: Final = {
    sqlite3.SQLITE_BUSY: ("is locked by another process", "Let the other process finish, or end it, and try again"),
    sqlite3.SQLITE_LOCKED: ("is locked by another process", "Let the other process finish, or end it, and try again"),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Free some space and try again"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "Check the disk and its free space"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "Restore it from a backup, or move it away to begin anew"),
    sqlite3.SQLITE_NOTADB: ("is not a store", "Name another file, or move this one away"),
    sqlite3.SQLITE_READONLY: ("may not be written", "Check the permissions of the file and its directory"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that its directory exists and may be written"),
    sqlite3.SQLITE_PERM: ("may not be opened", "Check the permissions of the file and its directory"),
}


def store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """What an error of SQLite or of the operating system means for the store at ``path``."""
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        return StoreError(f"The store {path} cannot be opened", why=why, fix="Check the path and its permissions")
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code: https://www.sqlite.org/rescode.html
    meaning = _MEANINGS.get(code & 0xFF) if isinstance(code, int) else None
    what, fix = meaning or ("failed", "")
    return StoreError(f"The store {path} {what}", why=str(error), fix=fix)


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def connect_writer(path: Path, *, timeout: float) -> sqlite3.Connection:
    """Open a store for writing, making it when there is none.

    Args:
        path: The file. A new one, and new directories above it, are readable by their owner only.
        timeout: Seconds to wait for the locks of other processes.

    Raises:
        StoreError: it is locked for longer, damaged, newer than this program, no store, or cannot be opened.
    """
    give_up = time.monotonic() + timeout
    try:
        _create_private(path)
    except OSError as error:
        raise store_error(path, error) from error
    while True:
        try:
            return _connect(path, timeout)
        except sqlite3.Error as error:
            # Turning WAL on does not wait for locks, whatever the timeout says: two processes may begin at once.
            if not _is_busy(error) or time.monotonic() >= give_up:
                raise store_error(path, error) from error
            time.sleep(_RETRY_SECONDS)


def connect_reader(path: Path, *, timeout: float) -> sqlite3.Connection | None:
    """Open a store for reading only, or give None when a writer has to make it, or make it new, first.

    It waits for nobody who writes.

    Raises:
        StoreError: it is damaged, newer than this program, no store, or cannot be opened.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            return None
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None)
        try:
            connection.execute("PRAGMA query_only = ON")
            _check_integrity(connection, path)
            if _tables(connection) and _version(connection) != _FIRST_VERSION:
                _check_schema(connection, path)
                return connection
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise store_error(path, error) from error
    connection.close()
    return None


def _create_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its -wal and -shm files the permissions of the main file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))


def _connect(path: Path, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    mode: tuple[str] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode[0] != "wal":
        raise StoreError(
            f"The store {path} cannot use a write-ahead log", why=f"Its journal is {mode[0]}", fix="Use a local disk"
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    _check_integrity(connection, path)
    _migrate(connection, path)


def _check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > _CHECKED_BYTES:
        return
    found: tuple[str] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found[0] != "ok":
        raise StoreError(
            f"The store {path} is damaged",
            why=found[0],
            fix="Restore it from a backup, or move it away to begin anew",
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if not _tables(connection) or _version(connection) == _FIRST_VERSION:
        with writing(connection):
            # Another process may have been first.
            if not _tables(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO sentient_schema VALUES (?)", (SCHEMA_VERSION,))
            elif _version(connection) == _FIRST_VERSION:
                connection.execute("ALTER TABLE state ADD COLUMN at INTEGER NOT NULL DEFAULT 0")
                connection.execute("INSERT INTO sentient_schema VALUES (?)", (SCHEMA_VERSION,))
    _check_schema(connection, path)


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    if "sentient_schema" not in _tables(connection):
        raise StoreError(
            f"The file {path} is not a store", why="It is a database of something else", fix="Name another file"
        )
    version = _version(connection)
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"The store {path} was written by another version of this program",
            why=f"Its schema is {version}, this program knows {SCHEMA_VERSION}",
            fix="Upgrade this program, or name another file",
        )


def _version(connection: sqlite3.Connection) -> int | None:
    if "sentient_schema" not in _tables(connection):
        return None
    row: tuple[int | None] = connection.execute("SELECT max(version) FROM sentient_schema").fetchone()
    return row[0]


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows: list[tuple[str]] = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {row[0] for row in rows}
