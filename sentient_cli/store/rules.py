"""The rules of a run log and of keys, in one place: every adapter asks here before it writes or reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sentient_cli.errors import CursorError, CursorExpiredError, LogSequenceError, StoreError, VersionConflictError
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.ports import LogHead, Row

__all__ = [
    "BLOB_BYTES",
    "FINISHED",
    "STARTED",
    "advance",
    "check_append",
    "check_cursor",
    "check_key",
    "check_run_id",
    "closed_error",
    "is_key",
    "is_run_id",
    "is_text",
    "version_conflict",
]

STARTED: Final = "run.started"
FINISHED: Final = "run.finished"
BLOB_BYTES: Final = 256 * 1024
"""Data longer than this many bytes is kept apart, under its SHA-256."""

_MAX_INT: Final = 2**63 - 1
_MAX_KEY_LENGTH: Final = 512
_RUN_ID: Final = re.compile(r"[0-9a-z-]{1,128}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


def closed_error() -> StoreError:
    """The error of everything that is asked of a store after ``aclose()``."""
    return StoreError("The store is closed", fix="Use it before `aclose()`")


def is_run_id(run_id: str) -> bool:
    """Whether a log may have this name: 1 to 128 of the digits, the small letters and the hyphen.

    Example:
        >>> is_run_id("0f3c"), is_run_id("../secret"), is_run_id("")
        (True, False, False)
    """
    return _RUN_ID.fullmatch(run_id) is not None


def check_run_id(run_id: str) -> None:
    """Refuse a name that no log may have, since it becomes a file name.

    Raises:
        StoreError: `is_run_id` says no.
    """
    if not is_run_id(run_id):
        raise StoreError(
            "This run id cannot be stored",
            why=f"It is {run_id[:40]!r}",
            fix="Use 1 to 128 of the characters 0-9, a-z and -",
        )


def check_key(key: str) -> None:
    """Refuse a key of a row that not every adapter can keep.

    Raises:
        StoreError: it is empty, longer than 512 characters, has a NUL, or is no valid Unicode.
    """
    if not is_key(key):
        raise StoreError(
            "This key cannot be stored",
            why=f"It is {key[:40]!r}",
            fix=f"Use 1 to {_MAX_KEY_LENGTH} characters of valid Unicode without NUL",
        )


def is_key(key: str) -> bool:
    """Whether a row may have this key: 1 to 512 characters of valid Unicode without NUL."""
    return 0 < len(key) <= _MAX_KEY_LENGTH and is_text(key)


def is_text(text: str) -> bool:
    """Whether the text is valid Unicode without NUL, as every adapter can look for."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def check_append(head: LogHead | None, entries: Sequence[LogEntry]) -> None:
    """Refuse entries that do not continue a log which stands at ``head``.

    Args:
        head: Where the log stands; None when there is none yet.
        entries: What is to be appended; must not be empty.

    Raises:
        LogSequenceError: the first does not follow, they have gaps, a start or an end is out of place, or the log is
            finished.
        StoreError: a time or a type cannot be stored.
    """
    if head is not None and head.finished:
        raise LogSequenceError("The log is finished", why=f"Its last entry is {head.last_seq}")
    expected = 1 if head is None else head.last_seq + 1
    last = expected + len(entries) - 1
    for entry in entries:
        if entry.seq != expected:
            raise LogSequenceError(f"Entry {entry.seq} does not continue the log", why=f"Entry {expected} comes next")
        if (entry.type == STARTED) != (expected == 1):
            raise LogSequenceError(f"A log has exactly one `{STARTED}`, its first entry", why=f"Entry {expected} is")
        if entry.type == FINISHED and expected != last:
            raise LogSequenceError(f"Nothing comes after `{FINISHED}`", why=f"Entry {expected} is one")
        _check_entry(entry)
        expected += 1


def _check_entry(entry: LogEntry) -> None:
    if not 0 <= entry.at <= _MAX_INT:
        raise StoreError(f"The time of entry {entry.seq} cannot be stored", why=f"It is {entry.at} ns")
    if _TYPE.fullmatch(entry.type) is None:
        raise StoreError(f"The type of entry {entry.seq} cannot be stored", why=f"It is {entry.type[:40]!r}")


def advance(head: LogHead | None, entries: Sequence[LogEntry]) -> LogHead:
    """Where a log stands after entries that `check_append` let through.

    Example:
        >>> from sentient_cli.store.entry import Entry
        >>> advance(None, [Entry(1, 0, "run.started", b"{}")])
        LogHead(first_seq=1, last_seq=1, finished=False)
    """
    return LogHead(1 if head is None else head.first_seq, entries[-1].seq, entries[-1].type == FINISHED)


def check_cursor(head: LogHead | None, after: int) -> None:
    """Refuse a cursor from which a log that stands at ``head`` cannot be read.

    Raises:
        CursorError: it is negative or beyond the end.
        CursorExpiredError: the entries after it are no longer kept.
    """
    if after < 0:
        raise CursorError("A cursor is not negative", why=f"It is {after}", fix="Begin at 0")
    if head is None:
        return
    if after > head.last_seq:
        raise CursorError(f"The cursor {after} is beyond the end of the log", why=f"Its last entry is {head.last_seq}")
    if after + 1 < head.first_seq:
        raise CursorExpiredError(
            f"The entries after {after} are no longer kept",
            first_seq=head.first_seq,
            fix=f"Begin after {head.first_seq - 1}",
        )


def version_conflict(key: str, expected: int, row: Row | None) -> VersionConflictError:
    """The error of a change that names a version which the row does not have."""
    return VersionConflictError(
        f"The row {key[:80]!r} was changed by somebody else",
        why="It does not exist" if row is None else f"Its version is {row.version}, not {expected}",
        fix="Read it again, then change what you read",
    )
