"""Reading entries: the latest ones, those that come, and a part of the log for others to keep."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from sentient_cli.audit.line import Entry, LineError, read_entry
from sentient_cli.audit.places import AuditPlaces
from sentient_cli.audit.reading import pieces, pieces_backwards
from sentient_cli.audit.verify import opened_log
from sentient_cli.errors import AuditError, UsageError
from sentient_cli.sanitize import sanitize_line

__all__ = ["Exported", "Form", "Wanted", "entries_from", "export", "export_to", "latest", "moment"]

Form: TypeAlias = Literal["jsonl", "csv"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = (
    *("seq", "at", "time", "category", "action", "subject", "data"),
    *("user", "host", "uid", "pid", "program", "prev", "hash"),
)


class Wanted(NamedTuple):
    """Which entries are wanted.

    Args:
        since: From when on, in nanoseconds since the epoch.
        until: Until when, not counting that moment.
        categories: Of which categories; of all unless given.
    """

    since: int = -(2**63)
    until: int = 2**63
    categories: frozenset[str] = frozenset()

    def has(self, entry: Entry) -> bool:
        """Whether an entry is one of them."""
        return self.since <= entry.at < self.until and (not self.categories or entry.category in self.categories)


class Exported(NamedTuple):
    """What was exported.

    Args:
        entries: How many.
        lines: How many lines the log had.
        unread: How many of them are no entries.
        first: The first entry.
        last: The last one.
    """

    entries: int
    lines: int
    unread: int
    first: Entry | None
    last: Entry | None


def moment(at: int) -> str:
    """A time of the log for a reader, in UTC.

    Example:
        >>> moment(1_700_000_000_123_456_789)
        '2023-11-14T22:13:20.123456Z'
    """
    try:
        when = _EPOCH + timedelta(microseconds=at // 1000)
    except OverflowError:
        return f"{at} ns"
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def export(path: Path, wanted: Wanted, form: Form, write: Callable[[bytes], object]) -> Exported:
    """Write the entries that are wanted: as the very lines that they are, or as CSV.

    Args:
        path: The log.
        wanted: Which.
        form: How.
        write: Takes what is written.

    Raises:
        AuditError: the log cannot be read.
    """
    count = lines = unread = 0
    first: Entry | None = None
    last: Entry | None = None
    if form == "csv":
        write(_row(_COLUMNS))
    with opened_log(path) as (log, size):
        for piece in pieces(log, size):
            lines += piece.begins
            try:
                entry = read_entry(piece.data)
            except LineError:
                unread += piece.begins
                continue
            if wanted.has(entry):
                count, first, last = count + 1, first or entry, entry
                write(piece.data + b"\n" if form == "jsonl" else _row(_cells(entry)))
    return Exported(count, lines, unread, first, last)


def export_to(places: AuditPlaces, target: Path, wanted: Wanted, form: Form) -> Exported:
    """The same into a file that is there whole, readable by this user only, or not at all.

    Raises:
        AuditError: the log cannot be read, or the file not be written.
        UsageError: it is a folder, or a file of the log itself.
    """
    if target.resolve() in {place.resolve() for place in places}:
        raise UsageError(f"{target} belongs to the audit log", fix="Give another file")
    if target.is_dir():
        raise UsageError(f"{target} is a folder", fix="Give a file")
    draft = target.with_name(f".{target.name}.draft")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            exported = export(places.log, wanted, form, file.write)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        why = error.strerror or type(error).__name__
        raise AuditError(f"{target} cannot be written", why=why, fix="Give another file") from error
    return exported


def latest(path: Path, count: int, wanted: Wanted) -> tuple[list[Entry], int, int]:
    """The latest entries that are wanted, the last one last.

    Returns:
        The entries, how many lines among them are none, and the size of the log.

    Raises:
        AuditError: the log cannot be read.
    """
    found: list[Entry] = []
    unread = 0
    with opened_log(path) as (log, size):
        for line in pieces_backwards(log, size) if count else ():
            try:
                entry = read_entry(line)
            except LineError:
                unread += 1
                continue
            if wanted.has(entry):
                found.append(entry)
            if len(found) >= count:
                break
    return found[::-1], unread, size


def entries_from(path: Path, start: int, wanted: Wanted) -> tuple[list[Entry], int]:
    """The entries that were appended since the log had a size.

    Returns:
        The entries that are wanted, and the size of the log now; smaller than before: it was cut off or replaced.

    Raises:
        AuditError: the log cannot be read.
    """
    with opened_log(path) as (log, size):
        log.seek(start)
        return [
            entry for entry in _readable(piece.data for piece in pieces(log, size - start)) if wanted.has(entry)
        ], size


def _readable(lines: Iterator[bytes]) -> Iterator[Entry]:
    for line in lines:
        try:
            yield read_entry(line)
        except LineError:
            continue


def _row(cells: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cells(entry: Entry) -> tuple[object, ...]:
    data = json.dumps(entry.data, sort_keys=True)
    said = (entry.seq, entry.at, moment(entry.at), entry.category, entry.action, _inert(entry.subject), data)
    names = ("user", "host", "uid")
    actor = (_inert(str(entry.actor.get(name, ""))) for name in names)
    process = (entry.process["pid"], _inert(str(entry.process["program"])))
    return (*said, *actor, *process, entry.prev, entry.hash)


def _inert(text: str) -> str:
    # A spreadsheet executes a cell that begins so: https://owasp.org/www-community/attacks/CSV_Injection
    text = sanitize_line(text)
    return f"'{text}" if text.lstrip()[:1] in {"=", "+", "-", "@"} else text
