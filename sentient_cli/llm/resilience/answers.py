"""Answers to questions that were asked before, in one SQLite file, so that they outlive the process."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.errors import StoreError
from sentient_cli.llm.resilience.answers_file import is_damage, open_answers, set_aside
from sentient_cli.llm.resilience.cache import KeptAnswer
from sentient_cli.llm.sqlite import make_private
from sentient_cli.redact import Redactor, redactor
from sentient_cli.sqlite_writes import writing
from sentient_cli.store.lane import Lane

__all__ = ["SqliteCache"]

T = TypeVar("T")
_MARK: Final = 8
"""Bytes before an answer that tell whether it is what was written."""
_WAITING: Final = 64
"""So many answers wait to be written at most; past it they are left out."""
_TOUCHED: Final = 1000
_REST: Final = 1.0
"""Seconds that nothing is written after a failure, such as a file that another process has locked."""

_NEXT_USE: Final = "(SELECT coalesce(max(used), 0) + 1 FROM answers)"

_logger = logging.getLogger(__name__)


class SqliteCache:
    """Answers in a file, readable by its owner only. The one that was not asked for longest goes first.

    It is written behind, so that no call waits for the disk. An answer with a secret in it is not kept. A file that is
    damaged is moved aside, and a new one begun.

    Args:
        path: The file; made when it is first used.
        seconds: How long an answer is good.
        most: Bytes that all of them may take, about.
        count: How many there may be.
        scope: What else an answer depends on, such as whom the ids of providers stand for: other processes may have
            other settings.
        clock: What the time is.
        known: Knows the secrets; the one of the process unless given.

    Example:
        >>> import asyncio, tempfile
        >>> from sentient_cli.llm import Chunk
        >>> async def main(path: Path) -> str:
        ...     cache = SqliteCache(path)
        ...     await cache.put("a key", KeptAnswer("offline", "echo", (Chunk("Hello"),)))
        ...     await cache.aclose()
        ...     again = SqliteCache(path)
        ...     kept = await again.get("a key")
        ...     await again.aclose()
        ...     return kept.chunks[0].text if kept else ""
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(main(Path(folder, "answers.db")))
        'Hello'
    """

    def __init__(
        self,
        path: Path,
        *,
        seconds: float = 3600.0,
        most: int = 64 * 1024 * 1024,
        count: int = 10_000,
        scope: str = "",
        clock: Clock | None = None,
        known: Redactor = redactor,
    ) -> None:
        self.path: Path = path
        self._seconds = seconds
        self._most = most
        self._count = count
        self._scope = scope
        self._clock = clock or SystemClock()
        self._known = known
        self._lane = Lane("sentient-answers")
        self._lock = threading.Lock()
        self._waiting = 0
        self._touched: OrderedDict[bytes, None] = OrderedDict()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._is_off = False
        self._has_failed = False
        self._rests_until = 0.0

    async def get(self, key: str) -> KeptAnswer | None:
        """The answer to a question, if it is there and not too old."""
        digest = self._digest(key)
        with contextlib.suppress(StoreError):  # closed
            return await self._lane.call(lambda: self._safely(lambda connection: self._found(connection, digest)))
        return None

    async def put(self, key: str, answer: KeptAnswer) -> None:
        """Keep an answer; others go if there is no room. It is written behind."""
        with self._lock:
            if self._waiting >= _WAITING:
                return
            self._waiting += 1
        digest, until = self._digest(key), self._clock.now_ns() + round(self._seconds * 1e9)
        try:
            self._lane.submit(lambda: self._put(digest, until, answer))
        except StoreError:  # closed
            self._written()

    async def aclose(self) -> None:
        """Write what waits and close the file; nothing is kept or found from then on. May be called twice."""
        with contextlib.suppress(StoreError):
            await self._lane.call(self._close)
        await self._lane.aclose()

    def _digest(self, key: str) -> bytes:
        return hashlib.sha256(f"{self._scope}\0{key}".encode()).digest()

    def _found(self, connection: sqlite3.Connection, key: bytes) -> KeptAnswer | None:
        row: tuple[int, bytes] | None = connection.execute(
            "SELECT until, answer FROM answers WHERE key = ?", (key,)
        ).fetchone()
        if row is None or self._clock.now_ns() >= row[0]:
            return None
        answer = _decoded(key, row[1])
        self._touched[key] = None
        self._touched.move_to_end(key)
        if len(self._touched) > _TOUCHED:
            self._touched.popitem(last=False)
        return answer

    def _written(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _put(self, key: bytes, until: int, answer: KeptAnswer) -> None:
        self._written()
        if time.monotonic() < self._rests_until:
            return  # who asks for an answer meanwhile would wait for each of those that cannot be written
        try:
            data = _encoded(key, answer)
            if self._holds_secret(answer):
                data = b""
        except (ValueError, TypeError, OverflowError, RecursionError):  # half a character, or nested without an end
            data = b""
        self._safely(lambda connection: self._write(connection, key, until, data))

    def _holds_secret(self, answer: KeptAnswer) -> bool:
        # A secret may be torn into pieces; what a provider sent besides is looked at as it is written.
        texts = ["".join(chunk.text for chunk in answer.chunks), *answer.notices]
        texts.append("".join(chunk.thinking.text for chunk in answer.chunks if chunk.thinking is not None))
        texts += [msgspec.json.encode(chunk.extra).decode() for chunk in answer.chunks if chunk.extra]
        return any(self._known.suspects(text) and next(self._known.hidden(text), None) is not None for text in texts)

    def _write(self, connection: sqlite3.Connection, key: bytes, until: int, data: bytes) -> None:
        """Keep an answer; without data only forget the one before it."""
        touched, self._touched = self._touched, OrderedDict()
        touched.pop(key, None)
        with writing(connection):
            _touch(connection, touched)
            now = self._clock.now_ns()
            connection.execute("DELETE FROM answers WHERE key = ? OR until <= ?", (key, now))
            if 0 < len(data) <= self._most:
                values = (key, until, len(data), data)
                connection.execute(f"INSERT INTO answers VALUES (?, ?, {_NEXT_USE}, ?, ?)", values)  # noqa: S608
            self._make_room(connection)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        while True:
            count, size = connection.execute("SELECT count, size FROM totals").fetchone()
            if count <= self._count and size <= self._most:
                return
            gone = connection.execute("DELETE FROM answers WHERE used = (SELECT min(used) FROM answers)")
            if not gone.rowcount:
                raise _DamagedError("Its totals are wrong")

    def _safely(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do work on the file; what fails is said once and harms no call."""
        if self._is_off:
            return None
        for _ in range(2):
            try:
                return work(self._open())
            except _DamagedError as error:
                self._set_aside(error)
            except sqlite3.Error as error:
                if not is_damage(error):
                    self._fail(error)
                    return None
                self._set_aside(error)
            except (OSError, StoreError) as error:
                self._is_off = True
                self._fail(error)
                return None
        return None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._inode = make_private(self.path)
            self._connection = open_answers(self.path)
        return self._connection

    def _set_aside(self, error: Exception) -> None:
        self._drop()
        try:
            if not set_aside(self.path, self._inode):
                return
        except OSError as failure:
            self._is_off = True
            self._fail(failure)
            return
        _logger.warning(
            "The cache of answers is damaged: %s. It begins anew; the old one is %s.damaged", error, self.path
        )

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            _logger.warning("The cache of answers cannot be used: %s: %s", self.path, error)
        self._has_failed = True
        self._rests_until = time.monotonic() + _REST

    def _close(self) -> None:
        if self._connection is not None and self._touched and not self._is_off:
            self._safely(self._touch_all)
        self._drop()
        self._is_off = True  # what comes after it would open the file again, and nobody close it

    def _touch_all(self, connection: sqlite3.Connection) -> None:
        touched, self._touched = self._touched, OrderedDict()
        with writing(connection):
            _touch(connection, touched)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _DamagedError(Exception):
    """What was read is not what was written."""


def _touch(connection: sqlite3.Connection, keys: OrderedDict[bytes, None]) -> None:
    # One by one, in the order in which they were asked for.
    connection.executemany(f"UPDATE answers SET used = {_NEXT_USE} WHERE key = ?", [(key,) for key in keys])  # noqa: S608


def _mark(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, key=key, digest_size=_MARK).digest()


def _encoded(key: bytes, answer: KeptAnswer) -> bytes:
    data = msgspec.msgpack.encode(answer)
    return _mark(key, data) + data


def _decoded(key: bytes, stored: bytes) -> KeptAnswer | None:
    mark, data = stored[:_MARK], stored[_MARK:]
    if mark != _mark(key, data):
        raise _DamagedError("An answer is not what was written")
    try:
        return msgspec.msgpack.decode(data, type=KeptAnswer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None  # written by another version of this program
