"""Entries that are appended together: encoded once, and by whoever can do it cheapest; for many runs at a time."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar, cast, overload, runtime_checkable

from sentient_cli.errors import LogSequenceError
from sentient_cli.store.entry import Entry, LogEntry
from sentient_cli.store.jsonl import Line, decode_line
from sentient_cli.store.ports import LogHead
from sentient_cli.store.rules import FINISHED, check_append

__all__ = ["AppendAll", "BulkLog", "EntryBatch", "EntryLog", "KeepBlob", "Lines", "appender", "check_lines"]

E_contra = TypeVar("E_contra", bound=LogEntry, contravariant=True)
E = TypeVar("E", bound=LogEntry)

AppendAll: TypeAlias = Callable[[Sequence[tuple[str, Sequence[E]]]], Coroutine[None, None, list[Exception | None]]]
"""Appends to many runs, to each all or none, and returns what went wrong with each, or None."""
KeepBlob: TypeAlias = Callable[[str, bytes], None]
"""Keeps data apart; given its SHA-256, hexadecimal, and the data."""


class Lines(NamedTuple):
    """Entries of one run as lines of `sentient_cli.store.jsonl`: one append, or several whole ones.

    Args:
        run_id: Whose.
        first: The first seq.
        last: The last seq.
        finished: Whether the last one is the terminal one.
        text: The lines, each with its line feed.
    """

    run_id: str
    first: int
    last: int
    finished: bool
    text: bytes


class EntryBatch(Sequence[Entry]):
    """Entries without gaps that know their lines. As a sequence they are made when they are looked at."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[Entry] | None = None

    @abstractmethod
    def lines(self, keep_blob: KeepBlob) -> bytes:
        """What `sentient_cli.store.jsonl.encode_entries` makes of the entries."""

    @abstractmethod
    def source(self) -> Sequence[LogEntry]:
        """The entries, however they are held."""

    def _made(self) -> list[Entry]:
        if self._entries is None:
            self._entries = [Entry(entry.seq, entry.at, entry.type, entry.data) for entry in self.source()]
        return self._entries

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        return self._made()[index]

    def __len__(self) -> int:
        return len(self.source())


def check_lines(head: LogHead | None, lines: Lines) -> Line:
    """Refuse lines that do not continue a log which stands at ``head``. Only the first and the last are decoded.

    Args:
        head: Where the log stands; None when there is none yet.
        lines: What is to be appended.

    Returns:
        The last line.

    Raises:
        LogSequenceError: they do not follow, they are others than they are said to be, a start or an end is out of
            place, or the log is finished.
        StoreError: a time or a type cannot be stored.
    """
    text = lines.text
    first = decode_line(text[: text.find(b"\n") + 1])
    last = decode_line(text[text.rfind(b"\n", 0, -1) + 1 :])
    whole = text.endswith(b"\n") and text.count(b"\n") == lines.last - lines.first + 1
    if first is None or last is None or not whole or (first.seq, last.seq) != (lines.first, lines.last) or last.left:
        raise LogSequenceError(f"These are not the entries {lines.first} to {lines.last} of a run")
    if (last.type == FINISHED) != lines.finished:
        raise LogSequenceError(f"Whether entry {last.seq} ends its run is not clear", why=f"Its type is {last.type!r}")
    if first.seq < last.seq:
        check_append(head, [_entry(first)])
        head = LogHead(first.seq, last.seq - 1, finished=first.type == FINISHED)
    check_append(head, [_entry(last)])
    return last


def _entry(line: Line) -> Entry:
    return Entry(line.seq, line.at, line.type, b"")


class EntryLog(Protocol[E_contra]):
    """What writing behind needs of a log; see `sentient_cli.store.ports.EventLog`."""

    async def append(self, run_id: str, entries: Sequence[E_contra]) -> None:
        """Append entries that continue the log, all or none."""
        ...

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands, or None when the run is unknown."""
        ...


@runtime_checkable
class BulkLog(Protocol[E_contra]):
    """A log that can append to many runs at the cost of one."""

    async def append_all(self, appends: Sequence[tuple[str, Sequence[E_contra]]]) -> list[Exception | None]:
        """Append to each run, all or none of it.

        Args:
            appends: The ids of runs, each with entries that continue its log.

        Returns:
            What went wrong with each, or None.
        """
        ...


def appender(log: EntryLog[E]) -> AppendAll[E]:
    """What appends to many runs of a log. Ask once for a log: to look what it can do costs more than to append.

    Args:
        log: Where. One that commits together what is asked for together does so.
    """
    if isinstance(log, BulkLog):
        bulk = cast("BulkLog[E]", log)
        return bulk.append_all

    async def append_each(appends: Sequence[tuple[str, Sequence[E]]]) -> list[Exception | None]:
        work = [log.append(run_id, entries) for run_id, entries in appends]
        return [_fault(result) for result in await asyncio.gather(*work, return_exceptions=True)]

    return append_each


def _fault(result: BaseException | None) -> Exception | None:
    if result is None or isinstance(result, Exception):
        return result
    return RuntimeError(repr(result))  # such as the cancellation of something that the log waited for
