"""The archive of a change to a project: the files as they were, and what tells whether they were left alone since."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from sentient_cli.errors import ProjectError
from sentient_cli.scaffold.changes import Held
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.plainfiles import read_plain
from sentient_cli.scaffold.rendering import is_plain_name

__all__ = ["Journal", "Step", "Writes", "digest", "pack", "read", "require_room"]

Writes = Mapping[PurePosixPath, tuple[Held | None, Held | None]]
"""Of each file, how it is and how it shall be."""
_JOURNAL = "journal.json"
_LARGEST = 8 * Limits().total
_PERMISSIONS = 0o777


@dataclass(frozen=True, slots=True)
class Step:
    """One file of a journal: as it was, and what tells whether it is now as it was left."""

    path: PurePosixPath
    before: Held | None
    after: str


@dataclass(frozen=True, slots=True)
class Journal:
    """All files of one change.

    Args:
        title: What was done.
        conflicts: The files in which the user has to decide.
        steps: The files.
    """

    title: str
    conflicts: tuple[str, ...]
    steps: tuple[Step, ...]


def require_room(writes: Writes) -> None:
    """Refuse to begin with what could not be put back.

    Raises:
        ProjectError: the files as they are add up to too much.
    """
    if sum(len(before.content) for before, _ in writes.values() if before is not None) > _LARGEST // 2:
        raise ProjectError("The files to be changed are too large to be kept", fix="Move the largest away meanwhile")


def digest(held: Held | None) -> str:
    """What tells a file from another; empty when there is none."""
    return "" if held is None else f"{held.mode:o}-{hashlib.sha256(held.content).hexdigest()}"


def pack(title: str, conflicts: Iterable[PurePosixPath], writes: Writes) -> bytes:
    """The archive of a change that is about to be made."""
    steps = [
        {"path": str(path), "mode": before.mode if before else None, "after": digest(after)}
        for path, (before, after) in writes.items()
    ]
    journal = {"title": title, "conflicts": [str(path) for path in conflicts], "steps": steps}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_JOURNAL, json.dumps(journal))
        for number, (before, _) in enumerate(writes.values()):
            if before is not None:
                archive.writestr(str(number), before.content)
    return packed.getvalue()


def read(file: Path) -> Journal:
    """Read an archive.

    Raises:
        ProjectError: it is damaged, a link, or too large.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(read_plain(file, _LARGEST))) as archive:
            _require_size(archive)
            told = cast("dict[str, object]", json.loads(archive.read(_JOURNAL)))
            steps = tuple(
                _step(number, fields, archive)
                for number, fields in enumerate(cast("list[dict[str, object]]", told["steps"]))
            )
        conflicts = tuple(cast("list[str]", told["conflicts"]))
        return Journal(str(told["title"]), conflicts, steps)
    except (KeyError, TypeError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise ProjectError(
            "What is kept of an update is damaged",
            why=f"{file}: {error}",
            fix=f"Remove {file}; git has what was there before",
        ) from error


def _require_size(archive: zipfile.ZipFile) -> None:
    if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
        raise ValueError("It unpacks to more than it may")


def _step(number: int, fields: Mapping[str, object], archive: zipfile.ZipFile) -> Step:
    path, mode = PurePosixPath(str(fields["path"])), fields["mode"]
    if not is_plain_name(path):
        raise ValueError(f"{path} is outside of the project")
    before = Held(archive.read(str(number)), mode & _PERMISSIONS) if isinstance(mode, int) else None
    return Step(path, before, str(fields["after"]))
