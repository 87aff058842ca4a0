"""Appending to the log: on disk, and under a signed checkpoint, before it returns; or not at all, and said."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, NamedTuple

from sentient_cli.audit.chain import Place, Torn, Walk
from sentient_cli.audit.checkpoint import LARGEST_NOTE, Checkpoint, Signature, origin_of, read_note, signed_note
from sentient_cli.audit.event import Event, fields_of
from sentient_cli.audit.keys import SigningKey
from sentient_cli.audit.line import LONGEST, Entry, LineError, read_entry, sealed
from sentient_cli.audit.lock import locked
from sentient_cli.audit.places import (
    AuditPlaces,
    Draft,
    open_own,
    open_to_read,
    require_folder,
    sync_folder_of,
    told,
    write_all,
)
from sentient_cli.audit.reading import pieces
from sentient_cli.errors import AuditError

__all__ = ["AuditLog", "read_checkpoint"]

_WHOLE: Final = Torn(0, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""What the note of a repair names where nothing was missing but a line break: the hash of nothing."""


class _End(NamedTuple):
    """How the log ends before something is appended."""

    place: Place
    identity: str
    size: int
    signed: int
    torn: Torn | None
    ended: bool


class AuditLog:
    """The audit log of a user, or one of one's own. For any number of threads and processes.

    Args:
        places: Its files; those of this user unless given.
        patience: Seconds to wait while others append.
        now_ns: What the time is, in nanoseconds since the epoch.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sentient_cli.audit import verify
        >>> with tempfile.TemporaryDirectory() as name:
        ...     folder = Path(name, "audit")
        ...     places = AuditPlaces(folder / "log", folder / "checkpoint", folder / "key")
        ...     (entry,) = AuditLog(places).append(Event("credential", "resolved", "default/openai"))
        ...     entry.seq, entry.action, verify(places).findings
        (2, 'resolved', ())
    """

    def __init__(
        self,
        places: AuditPlaces | None = None,
        *,
        patience: float = 10.0,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.places: AuditPlaces = places or AuditPlaces.of_this_user()
        self._patience = patience
        self._now_ns = now_ns

    def append(self, *events: Event) -> tuple[Entry, ...]:
        """Append events, all or none, and return once they are on disk and signed for.

        Raises:
            AuditError: they are not, or the log is not as its checkpoint says; hand out nothing then.

        Returns:
            Their lines. A new log has one before them that begins it.
        """
        said = [_from_outside(event) for event in events]
        path = self.places.log
        require_folder(path.parent)
        with told(path), locked(path, self._open, self._patience) as descriptor:
            key, head = self._key_and_head()
            with open(descriptor, "rb", closefd=False) as log:
                end = _end_of(log, head)
            own = _own_events(end)
            return self._write(descriptor, key, end, [*map(_from_inside, own), *said])[len(own) :]

    async def append_async(self, *events: Event) -> tuple[Entry, ...]:
        """The same in a thread, for a loop that has to go on. What is cancelled may be appended all the same.

        Raises:
            AuditError: as `append` does.
        """
        import asyncio  # noqa: PLC0415 - those who have no loop need none of it

        return await asyncio.to_thread(self.append, *events)

    def _open(self) -> int:
        return open_own(self.places.log, os.O_RDWR | os.O_CREAT | os.O_APPEND)

    def _key_and_head(self) -> tuple[SigningKey, Checkpoint | None]:
        key, found = SigningKey.read(self.places.key), read_checkpoint(self.places)
        if found is None:
            return key or SigningKey.make(self.places.key), None
        head, signatures = found
        if key is None:
            raise _unlike(f"The key {self.places.key} is gone", "Restore it, or move the checkpoint away")
        signed = key.verifying.has_signed(head, signatures)
        if not signed:
            what = "is signed with another key" if signed is None else "was changed: its signature is wrong"
            raise _unlike(f"The checkpoint {self.places.checkpoint} {what}", "Restore it, or move it away")
        return key, head

    def _write(
        self, descriptor: int, key: SigningKey, end: _End, told_fields: Sequence[dict[str, object]]
    ) -> tuple[Entry, ...]:
        lines: list[bytes] = [] if end.ended else [b"\n"]
        entries: list[Entry] = []
        seq, prev = end.place.seq, end.place.hash
        for fields in told_fields:
            seq += 1
            line, digest = sealed({**fields, "seq": seq, "at": self._now_ns(), "prev": prev})
            entries.append(_read_back(line))
            lines += line, b"\n"
            prev = digest
        data = b"".join(lines)
        head = Checkpoint(origin_of(end.identity), seq, prev, end.size + len(data))
        draft = self._draft(signed_note(head, key.sign(head)))
        try:
            _append(descriptor, data, end.size)
            if end.size == 0:
                sync_folder_of(self.places.log)
        except BaseException:
            draft.discard()
            raise
        with told(self.places.checkpoint):
            draft.commit()
        return tuple(entries)

    def _draft(self, note: bytes) -> Draft:
        """The next checkpoint, on its disk before anything is written here: where it cannot be, nothing is."""
        place = self.places.checkpoint
        if not place.parent.is_dir():
            raise AuditError(
                f"The folder of the checkpoint is not there: {place.parent}",
                why="The setting `audit.checkpoint` names it",
                fix="Mount or make it, or change the setting",
            )
        with told(place):
            return Draft(place, note)


def _from_outside(event: Event) -> dict[str, object]:
    if event.category == "audit":
        raise AuditError("This cannot be told to the audit log", why="It tells itself what befalls it", fix=_NO_WAY)
    return fields_of(event)


def _from_inside(event: Event) -> dict[str, object]:
    # Its numbers and hashes hold no secret, and must not become another when one looks like a part of them.
    return {**fields_of(event._replace(data={})), "data": dict(event.data)}


def _own_events(end: _End) -> list[Event]:
    """What the log has to tell of itself first."""
    own: list[Event] = []
    if end.torn is not None or not end.ended:
        own.append(Event("audit", "repaired", data=(end.torn or _WHOLE).told()))  # directly behind what it tells of
    if end.place.seq == 0:
        own.append(Event("audit", "began", data={"id": end.identity}))
    if end.signed < end.place.seq:
        own.append(Event("audit", "unsigned", data={"first": end.signed + 1, "last": end.place.seq}))
    return own


def _append(descriptor: int, data: bytes, size: int) -> None:
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except BaseException:
        # Nobody was told that it is there, and we alone may write: the log is left as it was.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def read_checkpoint(places: AuditPlaces) -> tuple[Checkpoint, list[Signature]] | None:
    """The checkpoint of a log, its signature not looked at; None: there is none.

    Raises:
        AuditError: something else is in its place, or it cannot be read.
    """
    place = places.checkpoint
    try:
        descriptor = open_to_read(place)
    except FileNotFoundError:
        return None
    with told(place), os.fdopen(descriptor, "rb") as file:
        found = read_note(file.read(LARGEST_NOTE + 1))
    if found is None:
        raise _unlike(f"{place} holds no checkpoint of an audit log", "Restore it, or move it away")
    return found


def _end_of(log: BinaryIO, head: Checkpoint | None) -> _End:
    """How the log ends: after its checkpoint if there is one, else after all of it."""
    size = log.seek(0, os.SEEK_END)
    if head is not None:
        _require_line(log, head, size)
    start = head.bytes if head is not None else 0
    walk = Walk(Place(head.size, head.hash) if head is not None else None)
    log.seek(start)
    walk.over(pieces(log, size - start))
    if walk.findings.count:
        raise _unlike(f"The audit log was changed: {walk.findings.in_order()[0].text}", _HOW)
    identity = head.origin.rpartition("/")[2] if head is not None else walk.identity
    if walk.place.seq == 0:
        identity = secrets.token_hex(16)
    elif not identity:
        raise _unlike("The audit log was changed: it does not tell which one it is", _HOW)
    return _End(walk.place, identity, size, head.size if head is not None else 0, walk.torn, walk.ended)


def _require_line(log: BinaryIO, head: Checkpoint, size: int) -> None:
    """See that the line is there that the checkpoint was signed for, where it was."""
    if size < head.bytes:
        raise _unlike("The audit log was cut off: it is shorter than its checkpoint says", _HOW)
    start = max(0, head.bytes - LONGEST - 2)
    log.seek(start)
    line = log.read(head.bytes - start).removesuffix(b"\n").rpartition(b"\n")[2]
    with contextlib.suppress(LineError):
        if read_entry(line).hash == head.hash:
            return
    raise _unlike("The audit log was changed: the line of its checkpoint is not there", _HOW)


def _read_back(line: bytes) -> Entry:
    try:
        return read_entry(line)
    except LineError as fault:
        raise AuditError("This cannot be told to the audit log", why=f"Its line {fault.text}") from fault


_NO_WAY: Final = "Give it another category"
_HOW: Final = (
    "Run `sentient audit verify`. To go on, keep the log and its checkpoint elsewhere, and move both away from here"
)


def _unlike(what: str, fix: str) -> AuditError:
    return AuditError(what, why="Nothing is added to a log that is not as it was signed", fix=fix)
