"""How the audit log looks: findings, entries in columns, and what was exported."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.audit import AuditPlaces, Entry, Finding, Verified
from sentient_cli.audit.export import Exported, Wanted, entries_from, moment
from sentient_cli.audit.verify import signed_checkpoint
from sentient_cli.errors import DifferenceFoundError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.cli.console import Console

__all__ = ["follow_entries", "show_entries", "show_exported", "show_verified"]

_SUBJECT: Final = 20
"""Columns that subjects share; a longer one takes what it needs."""
_DONE: Final = 24
_NARROW: Final = 60
_LOOK_SECONDS: Final = 0.25
_SECONDS: Final = len("2026-11-23T00:14:25")
_SHORT_HASH: Final = 16


def show_verified(console: Console, verified: Verified, places: AuditPlaces) -> None:
    """Show what a check came to.

    Raises:
        DifferenceFoundError: something was found.
    """
    if console.json:
        _verified_as_json(console, verified)
    else:
        for note in verified.notes:
            console.say(f"Note: {note}")
        for finding in verified.findings:
            console.data(f"{finding.kind}: {_shown(str(finding))}")
        if verified.found > len(verified.findings):
            console.data(f"and {verified.found - len(verified.findings)} more")
    if not verified.intact:
        raise DifferenceFoundError(
            "The audit log is not as it was written",
            why=f"{_count(verified.found, 'finding')}, the first: {_shown(str(verified.findings[0]))}",
            fix="Keep the log and its checkpoint as they are, and compare them with a copy",
        )
    if not console.json:
        console.data(_intact(verified, places))


def _verified_as_json(console: Console, verified: Verified) -> None:
    rows = (("finding", verified.findings), ("note", verified.notes))
    for name, found in rows:
        for each in found:
            console.json_line(_finding_as_json(name, each))
    checkpoint = verified.checkpoint
    console.json_line(
        {
            "intact": verified.intact,
            "lines": verified.lines,
            "findings": verified.found,
            "checkpoint": checkpoint._asdict() if checkpoint is not None else None,
        }
    )


def _finding_as_json(name: str, finding: Finding) -> dict[str, object]:
    return {name: finding.kind, "line": finding.line or None, "text": redactor.redact(finding.text)}


def _intact(verified: Verified, places: AuditPlaces) -> str:
    checkpoint = verified.checkpoint
    if checkpoint is None:
        return f"There is no audit log yet: {_shown(str(places.log))}"
    return (
        f"{_count(verified.lines, 'line')}, and nothing was changed.\n"
        f"Signed for: {_count(checkpoint.size, 'entry')}, hash {checkpoint.hash[:_SHORT_HASH]}..."
    )


def _count(number: int, what: str) -> str:
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"1 {what}" if number == 1 else f"{number} {many}"


def show_entries(console: Console, entries: Sequence[Entry]) -> None:
    """Show entries in columns, cut to the width of the terminal."""
    if console.json:
        for entry in entries:
            console.json_line({**entry.as_json(), "time": moment(entry.at)})
    elif entries:
        _columns(console, entries)
    console.flush()


def _columns(console: Console, entries: Sequence[Entry]) -> None:
    from rich.text import Text

    drawn, width = console.rich(), console.width()
    done = [_cut(f"{entry.category} {entry.action}", _DONE) for entry in entries]
    subjects = [_shown(entry.subject) or "-" for entry in entries]
    numbers = max(len(str(entry.seq)) for entry in entries)
    columns = max(map(len, done)), min(max(map(len, subjects)), _SUBJECT)
    for entry, what, subject in zip(entries, done, subjects, strict=True):
        when = moment(entry.at)[:_SECONDS].replace("T", " ")
        line = Text(str(entry.seq).rjust(numbers), style="dim")
        if width >= _NARROW:
            line.append(f"  {when}", style="dim")
        line.append(f"  {what.ljust(columns[0])}", style="cyan")
        line.append(f"  {subject.ljust(columns[1])}  {_rest(entry)}", style="default")
        line.truncate(width, overflow="crop" if width < _NARROW else "ellipsis")
        line.rstrip()
        drawn.print(line, soft_wrap=True)


def _rest(entry: Entry) -> str:
    data = " ".join(f"{name}={value}" for name, value in sorted(entry.data.items()))
    actor = f"{entry.actor.get('user', '')} {entry.process['program']}[{entry.process['pid']}]"
    return _shown(f"{data} {actor}".strip())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _shown(text: str) -> str:
    return redactor.redact(sanitize_line(text))


def follow_entries(console: Console, path: Path, size: int, wanted: Wanted) -> None:
    """Show entries as they come, until somebody ends it."""
    while True:
        time.sleep(_LOOK_SECONDS)
        now = _size_of(path)
        if now == size:
            continue
        if now < size:
            console.warn("The log became shorter; it is read from its beginning")
            size = 0
        found, size = entries_from(path, size, wanted)
        show_entries(console, found)


def _size_of(path: Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - four times a second
    except FileNotFoundError:
        return 0


def show_exported(console: Console, exported: Exported, places: AuditPlaces, file: str) -> None:
    """Say what was exported, and what stands for it."""
    signed = signed_checkpoint(places)
    checkpoint = signed[0] if signed is not None else None
    first, last = exported.first, exported.last
    if console.json:
        told = {"entries": exported.entries, "lines": exported.lines, "unread": exported.unread}
        ends = {name: _end_as_json(entry) for name, entry in (("first", first), ("last", last))}
        console.json_line({**told, **ends, "checkpoint": checkpoint._asdict() if checkpoint is not None else None})
        return
    where = "" if file == "-" else f" to {file}"
    console.say(f"{_count(exported.entries, 'entry')} of {_count(exported.lines, 'line')} exported{where}.")
    if first is not None and last is not None:
        console.say(f"Numbers {first.seq} to {last.seq}, from {moment(first.at)} to {moment(last.at)}.")
    if checkpoint is not None:
        console.say(f"Checkpoint: {_count(checkpoint.size, 'entry')}, {checkpoint.hash}, signed.")
    else:
        console.warn("No checkpoint with a right signature stands for them; see `sentient audit verify`")
    if exported.unread:
        console.warn(f"{_count(exported.unread, 'line')} of the log is left out: see `sentient audit verify`")


def _end_as_json(entry: Entry | None) -> dict[str, object] | None:
    return {"seq": entry.seq, "at": entry.at, "time": moment(entry.at)} if entry is not None else None
