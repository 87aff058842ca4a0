"""A SQLite file that only its owner reads: how it is opened, and how its tables come into it.

WAL: https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sentient_cli.errors import StoreError
from sentient_cli.sqlite_writes import writing

__all__ = ["check_version", "connect", "make_private", "version_of"]


def make_private(path: Path) -> int:
    """Make a file if there is none, and give its number in the file system.

    Args:
        path: The file; its folder is made too.

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its -wal and -shm files the permissions of the main file.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def connect(path: Path, schema: Sequence[str], version: int, *, busy_seconds: float) -> sqlite3.Connection:
    """Open a file, and make its tables if there are none. Any thread may use it, one at a time.

    Args:
        path: The file.
        schema: What makes the tables.
        version: Of the tables, from 1.
        busy_seconds: How long to wait for the locks of other processes.

    Raises:
        StoreError: it was written by another version of this program.
        sqlite3.Error: it is damaged, or locked for too long.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     connection = connect(Path(folder, "a.db"), ["CREATE TABLE a (b)"], 1, busy_seconds=1)
        ...     version_of(connection)
        ...     connection.close()
        1
    """
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost what came last, never the file
        connection.execute("PRAGMA trusted_schema = OFF")
        if version_of(connection) == 0:
            _make_tables(connection, schema, version)
        check_version(connection, path, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: sqlite3.Connection, schema: Sequence[str], version: int) -> None:
    with writing(connection):
        if version_of(connection) == 0:  # another process may have been first
            for statement in schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")


def check_version(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Find out whether the tables are those that are expected.

    Raises:
        StoreError: they are of another version of this program.
    """
    if version_of(connection) != version:
        raise StoreError(
            f"{path} was written by another version of this program",
            fix="Upgrade this program, or move the file away to begin anew",
        )


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables; 0: there are none.

    Example:
        >>> connection = sqlite3.connect(":memory:")
        >>> version_of(connection)
        0
        >>> connection.close()
    """
    row: tuple[int] = connection.execute("PRAGMA user_version").fetchone()
    return row[0]
