"""One order over the entries of all runs, from whatever worker: held for a while, for any number of followers.

What comes in is held as it came, and taken apart when somebody looks at it. A follower that falls out of what is held
is told so; nobody waits for it.
"""

from __future__ import annotations

import re
import secrets
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from sentient_cli.dev.messages import EntriesHead
from sentient_cli.errors import CursorError
from sentient_cli.server.inspection import FeedExpiredError, FeedRecord
from sentient_cli.store.jsonl import Line, decode_line
from sentient_cli.store.rules import is_run_id

__all__ = ["Feed"]

_OVERHEAD: Final = 200
"""What a block costs in memory beside its text, roughly, in bytes."""
_BLOCK: Final = 64 * 1024
_SHARE: Final = 16
"""Of so many parts of what is held at most one is forgotten at a time."""
_CURSOR: Final = re.compile(r"([0-9a-f]{16})\.(0|[1-9][0-9]{0,17})")
_LATEST: Final = "latest"

_encode = msgspec.json.Encoder().encode
_decode_heads = msgspec.json.Decoder(list[EntriesHead]).decode


class _Block:
    """Records that stand together: frames of entries one behind the other, or one record of another kind."""

    __slots__ = ("count", "event", "first", "frames", "is_whole", "size")

    def __init__(self, first: int, event: str) -> None:
        self.first = first
        self.count = 0
        self.event = event
        self.size = _OVERHEAD
        self.frames: list[bytes] = []
        self.is_whole = event != "entry"
        """Whether nothing is added any more."""

    def add(self, count: int, frame: bytes) -> None:
        self.frames.append(frame)
        self.count += count
        self.size += len(frame)

    def seal(self) -> None:
        """Many small pieces of many sizes take half as much memory again as one that is like the others."""
        self.frames = [b"".join(self.frames)]
        self.is_whole = True

    def after(self, place: int) -> Iterator[tuple[int, bytes]]:
        """The records behind a place, and theirs."""
        if self.event != "entry":
            yield self.first, self.frames[0]
            return
        at = self.first
        lines = iter(b"".join(self.frames).split(b"\n"))
        while heads := next(lines):
            for head in _decode_heads(heads):
                for _ in range(head.first, head.last + 1):
                    line = next(lines)
                    if at > place:
                        yield at, _entry(head.run, decode_line(line))
                    at += 1


def _first_of(block: _Block) -> int:
    return block.first


class Feed:
    r"""The last records of all runs, in the order in which they came. For one event loop.

    Args:
        max_records: How many are held.
        max_bytes: How many bytes of them are held, with what is kept beside them: it is this that bounds what a hub
            takes, since entries that come one by one take twice the room of those that come together.

    Example:
        >>> feed = Feed()
        >>> feed.push(EntriesHead("0f3c", 1, 1, False), b'{"seq":1,"at":5,"type":"run.started","data":{}}\n')
        >>> records, place = feed.read(feed.locate(None), 10)
        >>> records[0].data
        b'{"run":"0f3c","seq":1,"at":5,"type":"run.started","data":{}}'
        >>> feed.locate(records[0].cursor) == place
        True
    """

    def __init__(self, *, max_records: int = 100_000, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        # Cursors of another hub are told from ours, and no place can be guessed.
        self._start = secrets.token_hex(8)
        self._blocks: deque[_Block] = deque()
        self._block_bytes = min(_BLOCK, max_bytes // _SHARE)
        self._block_records = max_records // _SHARE
        self._last = 0
        self._size = 0
        self._waiting: dict[Callable[[], None], None] = {}

    # -- coming in ---------------------------------------------------------------------------------------------------

    def push(self, head: EntriesHead, lines: bytes) -> None:
        """Take entries of one run; see `push_frame`."""
        if is_run_id(head.run):
            self.push_frame((head,), _encode((head,)) + b"\n" + lines)

    def push_frame(self, heads: Sequence[EntriesHead], frame: bytes) -> None:
        """Take a frame of entries. What is no such frame is passed over.

        Args:
            heads: What it is.
            frame: The heads as a line of JSON, then the lines of each, as `sentient_cli.store.jsonl` writes them. It is
                held as it is: a hundred thousand entries of many small frames are mostly what is kept beside them.
        """
        count = 0
        for head in heads:
            if head.last < head.first:
                return
            count += head.last - head.first + 1
        if count and frame.count(b"\n") == count + 1 and frame.endswith(b"\n"):
            self._add("entry", count, frame)

    def push_reload(self, data: bytes) -> None:
        """Take a record of a reload.

        Args:
            data: JSON, in one line.
        """
        self._add("reload", 1, data)

    def _add(self, event: str, count: int, text: bytes) -> None:
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.is_whole or event != "entry":
            if block is not None and not block.is_whole:
                block.seal()
            block = _Block(self._last + 1, event)
            self._blocks.append(block)
            self._size += _OVERHEAD
        block.add(count, text)
        self._last += count
        self._size += len(text)
        if not block.is_whole and (block.size >= self._block_bytes or block.count >= self._block_records):
            block.seal()
        while self._blocks and (
            self._last - self._blocks[0].first >= self._max_records or self._size > self._max_bytes
        ):
            self._size -= self._blocks.popleft().size
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        """Let those who wait look again."""
        waiting, self._waiting = self._waiting, {}
        for wake in waiting:
            wake()

    # -- going out ---------------------------------------------------------------------------------------------------

    @property
    def _before(self) -> int:
        """The place before everything that is held."""
        return self._blocks[0].first - 1 if self._blocks else self._last

    def _cursor(self, place: int) -> str:
        return f"{self._start}.{place}"

    def locate(self, cursor: str | None) -> int:
        """Where a cursor stands; None: before everything that is held; ``latest``: behind it.

        Raises:
            FeedExpiredError: what follows it is no longer held, or it is another hub's.
            CursorError: it is none.
        """
        if cursor is None:
            return self._before
        if cursor == _LATEST:
            return self._last
        found = _CURSOR.fullmatch(cursor)
        if found is None or (found[1] == self._start and int(found[2]) > self._last):
            raise CursorError("A cursor is the id of a record of this stream", fix="Begin without one")
        if found[1] != self._start or int(found[2]) < self._before:
            raise FeedExpiredError(self._cursor(self._before))
        return int(found[2])

    def read(self, after: int, limit: int = 256) -> tuple[list[FeedRecord], int]:
        """Records after a place, at most ``limit``; and the place of the last of them.

        Raises:
            FeedExpiredError: they are no longer held.
        """
        if after < self._before:
            raise FeedExpiredError(self._cursor(self._before))
        records: list[FeedRecord] = []
        while after < self._last and len(records) < limit:
            block = self._blocks[bisect_right(self._blocks, after + 1, key=_first_of) - 1]
            for place, data in islice(block.after(after), limit - len(records)):
                records.append(FeedRecord(self._cursor(place), block.event, data))
                after = place
        return records, after

    def wake_once(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` after the next record; asking twice is asking once."""
        self._waiting[wake] = None

    def forget(self, wake: Callable[[], None]) -> None:
        """It is not to be called any more."""
        self._waiting.pop(wake, None)


def _entry(run: str, line: Line | None) -> bytes:
    """The JSON of an entry. Data that is no JSON stands as ``base64``, large data as ``blob``, its SHA-256."""
    if line is None:
        return b'{"run":%b,"seq":0,"at":0,"type":"unreadable","data":null}' % _encode(run)
    start = b'{"run":%b,"seq":%d,"at":%d,"type":%b,' % (_encode(run), line.seq, line.at, _encode(line.type))
    if line.blob:
        return start + b'"data":null,"blob":%b}' % _encode(line.blob)
    data = bytes(line.data)
    if not data:
        return start + b'"data":null,"base64":%b}' % _encode(line.base64)
    return start + b'"data":%b}' % (data if b"\r" not in data else data.replace(b"\r", b" "))
