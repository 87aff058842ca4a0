"""The file that keeps answers: where it is, its tables, and what is wrong with it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from sentient_cli import paths
from sentient_cli.llm.sqlite import connect

__all__ = ["answers_file", "is_damage", "open_answers", "set_aside"]

_VERSION: Final = 1
_BUSY_SECONDS: Final = 1.0
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BESIDE: Final = ("-wal", "-shm", "")

# What all answers take is kept beside them: to count a large table takes as long as to read it.
_SCHEMA: Final = (
    """CREATE TABLE answers (key BLOB PRIMARY KEY, until INTEGER NOT NULL, used INTEGER NOT NULL, size INTEGER NOT NULL,
        answer BLOB NOT NULL)""",
    "CREATE INDEX answers_used ON answers (used)",
    "CREATE INDEX answers_until ON answers (until)",
    "CREATE TABLE totals (count INTEGER NOT NULL, size INTEGER NOT NULL)",
    "INSERT INTO totals VALUES (0, 0)",
    """CREATE TRIGGER answer_came AFTER INSERT ON answers BEGIN
        UPDATE totals SET count = count + 1, size = size + new.size; END""",
    """CREATE TRIGGER answer_went AFTER DELETE ON answers BEGIN
        UPDATE totals SET count = count - 1, size = size - old.size; END""",
)


def answers_file() -> Path:
    """Where the answers of this user are kept.

    Example:
        >>> answers_file().name
        'answers.db'
    """
    return paths.cache_dir() / "answers.db"


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is not what was written."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code: https://www.sqlite.org/rescode.html
    return isinstance(code, int) and code & 0xFF in _DAMAGE


def open_answers(path: Path) -> sqlite3.Connection:
    """Open the file, and make its tables if there are none.

    Raises:
        StoreError: it was written by another version of this program.
        sqlite3.Error: it is damaged, or locked for too long.
    """
    return connect(path, _SCHEMA, _VERSION, busy_seconds=_BUSY_SECONDS)


def set_aside(path: Path, inode: int) -> bool:
    """Rename a damaged file, unless another process has done that already and there is a new one.

    Args:
        path: The file.
        inode: Its number in the file system when it was opened.

    Raises:
        OSError: it cannot be renamed.
    """
    if not path.exists() or path.stat().st_ino != inode:
        return False
    for end in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{end}").replace(f"{path}.damaged{end}")
    return True
