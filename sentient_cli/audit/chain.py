"""The walk over a log: each line is judged by those before it and by the next, and nothing else is remembered.

A line that is no entry stays unexplained until the next entry: where that is the note of a repair that names the very
bytes, a crash in the middle of a write left them, and they are evidence and no fault. An entry is judged when the next
one is known, so that one that was put in is told from one behind a gap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sentient_cli.audit.findings import Findings
from sentient_cli.audit.line import FIRST, Datum, Entry, LineError, read_entry
from sentient_cli.audit.reading import Piece

__all__ = ["Place", "Torn", "Walk"]

_SAID: Final = 100
_SECOND: Final = 10**9


class Torn(NamedTuple):
    """Bytes that are no entry.

    Args:
        bytes: How many, a line break at their end left out.
        lines: In how many lines.
        sha256: Their hash.
    """

    bytes: int
    lines: int
    sha256: str

    def told(self) -> dict[str, Datum]:
        """What the note of a repair says of them."""
        return {"bytes": self.bytes, "lines": self.lines, "sha256": self.sha256}


class Place(NamedTuple):
    """How far a log goes.

    Args:
        seq: The number of its last line; 0: there is none.
        hash: The hash of that line.
        at: Its time.
    """

    seq: int = 0
    hash: str = FIRST
    at: int | None = None


class _Held(NamedTuple):
    entry: Entry
    line: int
    start: int  # the first of the lines before it that it explains, or itself
    before: int  # lines directly before it that are no entries, and that nothing explains


class _Unread:
    """Consecutive lines that are no entries."""

    def __init__(self) -> None:
        self.lines: int = 0
        self.faults: list[tuple[int, LineError]] = []
        self._beginnings: list[Torn] = []
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._break = False

    def take(self, piece: Piece, line: int, fault: LineError | None) -> None:
        """A further line, or, without a fault, a further piece of one."""
        if fault is not None and 0 < self.lines < _SAID:
            self._beginnings.append(self.torn())
        if self._break:
            self._hash.update(b"\n")
            self._bytes += 1
        self._hash.update(piece.data)
        self._bytes += len(piece.data)
        self._break = piece.ended
        if fault is not None:
            self.lines += 1
            if len(self.faults) < _SAID:
                self.faults.append((line, fault))

    def torn(self) -> Torn:
        """All of them."""
        return Torn(self._bytes, self.lines, self._hash.hexdigest())

    def explained(self, torn: Torn | None) -> int:
        """How many of the lines, from the first, are what a repair tells of: none, some or all."""
        return torn.lines if torn is not None and torn in (*self._beginnings, self.torn()) else 0


class Walk:
    """Goes over a log, or over a part of it from a place that is known.

    Args:
        after: The place before the first line.
        checks: Hashes that lines must have, by their numbers: what checkpoints say.

    Attributes:
        findings: What is not as it was written.
        notes: What is worth knowing.
        place: How far the log goes.
        lines: How many lines there were.
        ended: Whether the last of them has its line break.
        identity: Which log it is; empty where no line told.
    """

    def __init__(self, after: Place | None = None, checks: Mapping[int, str] | None = None) -> None:
        self.findings: Findings = Findings()
        self.notes: Findings = Findings()
        self.place: Place = after or Place()
        self.lines: int = 0
        self.ended: bool = True
        self.identity: str = ""
        self._checks = dict(checks or {})
        self._held: _Held | None = None
        self._unread = _Unread()

    def over(self, found: Iterable[Piece]) -> None:
        """Take these lines, and judge what can be judged."""
        for piece in found:
            self._take(piece)
        self._judge_held(None)

    @property
    def unread(self) -> int:
        """How many lines behind the last entry are none."""
        return self._unread.lines

    @property
    def torn(self) -> Torn | None:
        """What there is behind the last entry, if anything."""
        return self._unread.torn() if self._unread.lines else None

    def finish(self) -> None:
        """There is nothing to come: what is torn at the end stays unexplained."""
        self._say_unread(self._unread)
        if not self.ended:
            self.findings.add("torn", self.lines, "it has no line break at its end: a write was cut off, or the file")

    def _take(self, piece: Piece) -> None:
        self.ended = piece.ended
        if not piece.begins:
            self._unread.take(piece, self.lines, None)
            return
        self.lines += 1
        try:
            entry = read_entry(piece.data)
        except LineError as fault:
            self._unread.take(piece, self.lines, fault)
        else:
            self._meet(entry)

    def _meet(self, entry: Entry) -> None:
        unread, self._unread = self._unread, _Unread()
        repairs = _repairs(entry)
        explained = unread.explained(repairs)
        before = unread.lines - explained
        self._judge_held(entry, apart=before > 0)
        if explained and repairs is not None:
            text = f"a write was cut off here, and {repairs.bytes} bytes of it are left, as a later line tells"
            self.notes.add("repaired", self.lines - unread.lines, text)
        if before:
            self._say_unread(unread, explained)
        if repairs is not None and not explained and repairs.lines:
            self.findings.add("missing", self.lines, "what it tells of, left by a write that was cut off, is not there")
        if repairs is not None and not repairs.lines:
            self.notes.add("repaired", self.lines, "the line before it had no line break, and was given one")
        self._held = _Held(entry, self.lines, self.lines - explained, before)

    def _say_unread(self, unread: _Unread, explained: int = 0) -> None:
        for line, fault in unread.faults[explained:]:
            self.findings.add(fault.kind, line, f"it {fault.text}")
        more = unread.lines - max(explained, len(unread.faults))
        if more:
            self.findings.add("malformed", unread.faults[-1][0] + 1, f"{more} more here are no entries either")

    def _judge_held(self, following: Entry | None, *, apart: bool = False) -> None:
        """Say where the entry that waits belongs, now that the next one is known; ``apart``: no neighbour of it."""
        held, self._held = self._held, None
        if held is None:
            return
        entry, line, start, before = held
        expected = self.place.seq + 1
        beside = None if apart else following
        if self._is_next(held) and _is_rival(entry, beside):
            self.findings.add("misplaced", line, f"number {entry.seq} is here twice, and the next line is another one")
        elif self._is_next(held):
            self._put(entry, line, self._hash_of(held, beside))
        elif entry.seq == expected:
            self.findings.add("misplaced", line, "it does not name the line before it")
            self._put(entry, line, entry.hash)
        elif beside is not None and beside.seq == expected and beside.prev == self.place.hash:
            self.findings.add("misplaced", line, _misplaced(entry.seq, expected))
        elif beside is not None and beside.seq == expected + 1:
            self.findings.add("misplaced", line, _misplaced(entry.seq, expected))
            self.place = Place(expected, beside.prev, self.place.at)
        elif entry.seq < expected:
            self.findings.add("misplaced", line, _misplaced(entry.seq, expected))
        else:
            count = entry.seq - expected - before
            self.findings.add("missing", start, f"{_lines_are(count)} missing before it")
            self._put(entry, line, entry.hash)

    def _is_next(self, held: _Held) -> bool:
        expected = self.place.seq + 1
        if held.entry.seq == expected:
            return held.entry.prev == self.place.hash
        return expected < held.entry.seq <= expected + held.before

    def _hash_of(self, held: _Held, following: Entry | None) -> str:
        """The hash by which the next line knows this one; another than its own: this one was written anew."""
        entry, line = held.entry, held.line
        if following is None or following.seq != entry.seq + 1 or following.prev == entry.hash:
            return entry.hash
        self.findings.add("changed", line, "it is another than the one that the next line follows")
        return following.prev

    def _put(self, entry: Entry, line: int, known_as: str) -> None:
        """Take an entry for the last one of the log so far."""
        before = self.place.at
        if before is not None and entry.at < before:
            back = (before - entry.at) / _SECOND
            self.notes.add("clock", line, f"the clock stood {back:.3f} s before that of the line before it")
        if entry.category == "audit":
            self._heed(entry, line)
        wanted = self._checks.pop(entry.seq, None)
        if wanted is not None and wanted != entry.hash:
            self.findings.add("checkpoint", line, "it is another than the one that the checkpoint was signed for")
        self.place = Place(entry.seq, known_as, entry.at)

    def _heed(self, entry: Entry, line: int) -> None:
        """Take notice of what the log tells of itself."""
        if entry.action == "began":
            self.identity = self.identity or str(entry.data.get("id", ""))
        elif entry.action == "unsigned":
            first, last = entry.data.get("first"), entry.data.get("last")
            self.notes.add("unsigned", line, f"numbers {first} to {last} had no signature when it was written")


def _repairs(entry: Entry) -> Torn | None:
    if entry.category != "audit" or entry.action != "repaired":
        return None
    size, lines, digest = (entry.data.get(name) for name in ("bytes", "lines", "sha256"))
    if isinstance(size, int) and isinstance(lines, int) and isinstance(digest, str):
        return Torn(size, lines, digest)
    return None


def _is_rival(entry: Entry, following: Entry | None) -> bool:
    """Whether the next line claims the same place: one that is put in has to stand before the one that was there."""
    if following is None or following.hash == entry.hash:
        return False
    return (following.seq, following.prev) == (entry.seq, entry.prev)


def _misplaced(seq: int, expected: int) -> str:
    again = ", once more" if seq < expected else ""
    return f"number {seq} stands here{again}, where {expected} belongs"


def _lines_are(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"
