"""Changes of a SQLite file, all or none."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator

__all__ = ["writing"]


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Generator[None]:
    """Keep what the block writes, or nothing of it when it raises. Nobody else writes meanwhile.

    Args:
        connection: To the file; it begins no transactions by itself, and is in none.

    Raises:
        sqlite3.Error: the file is locked for too long, or cannot be written.

    Example:
        >>> connection = sqlite3.connect(":memory:", isolation_level=None)
        >>> _ = connection.execute("CREATE TABLE a (b)")
        >>> with contextlib.suppress(ZeroDivisionError), writing(connection):
        ...     _ = connection.execute("INSERT INTO a VALUES (1)")
        ...     1 / 0
        >>> connection.execute("SELECT count(*) FROM a").fetchone()
        (0,)
        >>> connection.close()
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # it may be over already: a full disk ends it
            connection.execute("ROLLBACK")
        raise
