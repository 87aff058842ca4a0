"""Checking a log: against itself line by line, and against what was signed."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from sentient_cli.audit.chain import Walk
from sentient_cli.audit.checkpoint import LARGEST_NOTE, Checkpoint, Signature, origin_of, read_note
from sentient_cli.audit.findings import Finding, Findings
from sentient_cli.audit.keys import SigningKey, VerifyingKey
from sentient_cli.audit.line import LineError, read_entry
from sentient_cli.audit.lock import locked
from sentient_cli.audit.places import AuditPlaces, open_to_read, told
from sentient_cli.audit.reading import pieces
from sentient_cli.errors import AuditError

__all__ = ["Verified", "opened_log", "signed_checkpoint", "verify"]

_PATIENCE: Final = 10.0
_FIRST_LINES: Final = 8
_LARGEST_KEY: Final = 4096


class Verified(NamedTuple):
    """What a check came to.

    Args:
        lines: How many lines the log has.
        findings: What is not as it was written, by lines; the first thousand.
        found: How many there are.
        notes: What is worth knowing and no fault.
        checkpoint: The checkpoint of the log, if its signature is right.

    Example:
        >>> Verified(0, (), 0, (), None).intact
        True
    """

    lines: int
    findings: tuple[Finding, ...]
    found: int
    notes: tuple[Finding, ...]
    checkpoint: Checkpoint | None

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.found


class _Note(NamedTuple):
    what: str
    checkpoint: Checkpoint
    signatures: list[Signature]


def verify(places: AuditPlaces, *, kept: Path | None = None, key: Path | None = None) -> Verified:
    """Check a log. What is appended meanwhile is not looked at.

    Args:
        places: The files of the log.
        kept: A checkpoint of it that was kept elsewhere.
        key: The key that was kept elsewhere, as `VerifyingKey.text` gives it.

    Raises:
        AuditError: a file cannot be read, or a file that was named is not what it should be.

    Example:
        >>> verify(AuditPlaces(Path("no-log"), Path("no-checkpoint"), Path("no-key"))).lines
        0
    """
    with opened_log(places.log) as (log, size):
        faults = Findings()
        notes = _notes(places, kept, faults, is_log=size > 0)
        trusted = _trusted(notes, _key(places, key, faults, needed=bool(notes)), faults)
        identity = _identity(log, size)
        for note in [note for note in trusted if identity and note.checkpoint.origin != origin_of(identity)]:
            faults.add("checkpoint", 0, f"{note.what} is of another log")
            trusted.remove(note)
        walk = Walk(checks={note.checkpoint.size: note.checkpoint.hash for note in reversed(trusted)})
        log.seek(0)
        walk.over(pieces(log, size))
        walk.finish()
        _compare(walk, trusted)
    own = next((note.checkpoint for note in trusted if note.what == _OWN), None)
    findings = (*walk.findings.in_order(), *faults.in_order())
    return Verified(walk.lines, findings, walk.findings.count + faults.count, walk.notes.in_order(), own)


def signed_checkpoint(places: AuditPlaces) -> tuple[Checkpoint, VerifyingKey, bytes] | None:
    """The checkpoint of a log with the key that it is signed with and as the note that it is.

    Returns:
        None: there is none with a right signature.

    Raises:
        AuditError: a file cannot be read.
    """
    faults = Findings()
    notes = _notes(places, None, faults, is_log=False)
    key = _key(places, None, faults, needed=bool(notes))
    note = _read(places.checkpoint) if _trusted(notes, key, faults) else None
    return (notes[0].checkpoint, key, note) if key is not None and note is not None else None


@contextlib.contextmanager
def opened_log(path: Path) -> Generator[tuple[BinaryIO, int]]:
    """A log to read, and its size at a moment at which nobody was writing; none is empty.

    Raises:
        AuditError: it cannot be read, or others wrote all the time.
    """
    log: BinaryIO
    try:
        with locked(path, lambda: open_to_read(path), _PATIENCE) as descriptor:
            size = os.fstat(descriptor).st_size
            log = os.fdopen(os.dup(descriptor), "rb")
    except FileNotFoundError:
        log, size = io.BytesIO(), 0
    with log:
        yield log, size


_OWN: Final = "The checkpoint"


def _notes(places: AuditPlaces, kept: Path | None, faults: Findings, *, is_log: bool) -> list[_Note]:
    """The checkpoints that there are."""
    notes: list[_Note] = []
    own = _read(places.checkpoint)
    if own is not None and (found := read_note(own)) is not None:
        notes.append(_Note(_OWN, *found))
    elif own is not None:
        faults.add("checkpoint", 0, f"{places.checkpoint} holds no checkpoint of an audit log")
    elif is_log:
        faults.add("checkpoint", 0, f"There is no checkpoint at {places.checkpoint}: nothing tells where the log ends")
    if kept is not None:
        data = _read(kept)
        found = read_note(data) if data is not None else None
        if found is None:
            raise AuditError(
                f"{kept} holds no checkpoint of an audit log",
                fix="Give a file that `sentient audit checkpoint` was written to",
            )
        notes.append(_Note("The checkpoint that was kept", *found))
    return notes


def _read(path: Path, largest: int = LARGEST_NOTE) -> bytes | None:
    try:
        descriptor = open_to_read(path)
    except FileNotFoundError:
        return None
    with told(path), os.fdopen(descriptor, "rb") as file:
        return file.read(largest + 1)


def _key(places: AuditPlaces, kept: Path | None, faults: Findings, *, needed: bool) -> VerifyingKey | None:
    if kept is not None:
        text = _read(kept, _LARGEST_KEY)
        if text is None:
            raise AuditError(
                f"There is no key {kept}", fix="Give the file that `sentient audit checkpoint --key` filled"
            )
        return VerifyingKey.of_text(text.decode("utf-8", "replace"))
    if not needed:
        return None
    own = SigningKey.read(places.key)
    if own is None:
        faults.add("key", 0, f"There is no key {places.key}: no signature can be checked; give one with --key")
    return own.verifying if own is not None else None


def _trusted(notes: list[_Note], key: VerifyingKey | None, faults: Findings) -> list[_Note]:
    """Those that were signed with the key."""
    trusted: list[_Note] = []
    for note in notes if key is not None else ():
        signed = key.has_signed(note.checkpoint, note.signatures) if key is not None else None
        if signed:
            trusted.append(note)
        elif signed is None:
            faults.add("key", 0, f"{note.what} is signed with another key")
        else:
            faults.add("signature", 0, f"{note.what} was changed: its signature is wrong")
    return trusted


def _identity(log: BinaryIO, size: int) -> str:
    """Which log it is; empty where its first lines do not tell."""
    for piece in itertools.islice(pieces(log, size), _FIRST_LINES):
        with contextlib.suppress(LineError):
            entry = read_entry(piece.data)
            if entry.category == "audit" and entry.action == "began":
                return str(entry.data.get("id", ""))
    return ""


def _compare(walk: Walk, trusted: list[_Note]) -> None:
    """What is missing at the end, and what is there that nobody has signed for yet."""
    if not trusted:
        return
    longest = max(note.checkpoint.size for note in trusted)
    missing = longest - walk.place.seq - walk.unread
    if missing > 0:
        told_lines = "1 line" if missing == 1 else f"{missing} lines"
        text = f"{told_lines} that the checkpoint was signed for should follow here: the log was cut off"
        walk.findings.add("truncated", walk.lines + 1, text)
    elif walk.place.seq > longest:
        first = longest + 1
        text = f"numbers {first} to {walk.place.seq} are newer than the checkpoint: not signed yet"
        walk.notes.add("unsigned", walk.lines - (walk.place.seq - first), text)
