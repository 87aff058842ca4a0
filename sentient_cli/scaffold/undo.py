"""Changes to a project that are made whole or not at all, and that can be taken back.

Before the first file is touched, all of them are in one archive as they were. While the files are being changed it is
called ``pending.zip``; afterwards it has a number. So whoever finds a ``pending.zip`` knows that somebody was
interrupted, and puts back every file that is no longer as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from sentient_cli.errors import ProjectError
from sentient_cli.scaffold.changes import Held, Obstacle, look
from sentient_cli.scaffold.rendering import is_plain_name

__all__ = ["FOLDER", "Restored", "carry_out", "folder_of", "heal", "is_pending", "last_conflicts", "undo"]

FOLDER = PurePosixPath(".sentient/undo")
KEPT = 10
"""How many updates can be taken back, one after the other."""
_PENDING = "pending.zip"
_JOURNAL = "journal.json"
Writes = Mapping[PurePosixPath, tuple[Held | None, Held | None]]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back.

    Args:
        title: What was taken back, such as ``basic 0.1.0 to 0.2.0``.
        paths: The files that are as they were.
        left: Files that were changed since, and were left alone.
    """

    title: str
    paths: tuple[PurePosixPath, ...]
    left: tuple[PurePosixPath, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """One file of a journal: as it was, and what tells whether it is now as it was left."""

    path: PurePosixPath
    before: Held | None
    after: str


@dataclass(frozen=True, slots=True)
class _Journal:
    title: str
    conflicts: tuple[str, ...]
    steps: tuple[_Step, ...]


def folder_of(project: Path) -> Path:
    """The directory of the archives, which keeps itself out of git.

    Raises:
        OSError: it cannot be made.
    """
    folder = project / FOLDER
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", "utf-8")
    return folder


def carry_out(
    project: Path,
    writes: Writes,
    *,
    title: str,
    conflicts: Iterable[PurePosixPath] = (),
    check: Callable[[], None] | None = None,
) -> None:
    """Change files, all of them or none.

    Args:
        project: The project.
        writes: Of each file, how it is and how it shall be.
        title: What is being done.
        conflicts: The files in which the user has to decide.
        check: Called between two files; what it raises takes everything back.

    Raises:
        OSError: a file cannot be written; everything is as it was, or the next run puts it back.
        ProjectError: somebody else changed a file meanwhile; everything is as it was.
    """
    folder = folder_of(project)
    pending = folder / _PENDING
    _write(pending, Held(_pack(title, conflicts, writes), 0o600))
    _settle(folder)
    try:
        for path, (before, after) in writes.items():
            if check is not None:
                check()
            _require_unchanged(project, path, before)
            _put(project, path, after)
    except BaseException:
        _restore(project, _read(pending), force=False)
        pending.unlink()
        raise
    numbers = [*_numbers(folder), 0]
    pending.replace(folder / f"{max(numbers) + 1:06}.zip")
    for number in sorted(_numbers(folder))[:-KEPT]:
        (folder / f"{number:06}.zip").unlink(missing_ok=True)


def _require_unchanged(project: Path, path: PurePosixPath, before: Held | None) -> None:
    if look(project, path) != before:
        raise ProjectError(f"{path} was changed while the project was updated", fix="Run it again")


def is_pending(project: Path) -> bool:
    """Whether somebody was interrupted, or is at it."""
    return (project / FOLDER / _PENDING).is_file()


def heal(project: Path) -> Restored | None:
    """Put back what somebody who was interrupted left half done; None when nobody did.

    Raises:
        OSError: a file cannot be written.
    """
    if not is_pending(project):
        return None
    pending = project / FOLDER / _PENDING
    restored = _restore(project, _read(pending), force=False)
    pending.unlink()
    return restored


def undo(project: Path, *, force: bool = False) -> Restored:
    """Take the last change back.

    Args:
        project: The project.
        force: Put files back that were changed since, too; what they hold now is lost.

    Raises:
        ProjectError: there is nothing to take back, or files were changed since.
        OSError: a file cannot be written; the next run goes on.
    """
    folder = project / FOLDER
    numbers = sorted(_numbers(folder))
    if not numbers:
        raise ProjectError("There is no update to take back", fix="Use git for what is older")
    last = folder / f"{numbers[-1]:06}.zip"
    journal = _read(last)
    changed = [step.path for step in journal.steps if not _untouched(project, step)]
    if changed and not force:
        raise ProjectError(
            "Files were changed since the update",
            why=", ".join(map(str, changed)),
            fix="Take it back all the same with `sentient update --undo --force`: what they hold now is lost",
        )
    pending = folder / _PENDING
    last.replace(pending)
    restored = _restore(project, journal, force=force)
    pending.unlink()
    return restored


def last_conflicts(project: Path) -> tuple[PurePosixPath, ...]:
    """The files in which the last change left something to decide."""
    folder = project / FOLDER
    numbers = sorted(_numbers(folder))
    if not numbers:
        return ()
    return tuple(PurePosixPath(name) for name in _read(folder / f"{numbers[-1]:06}.zip").conflicts)


def _numbers(folder: Path) -> list[int]:
    return [int(file.stem) for file in folder.glob("[0-9]*.zip") if file.stem.isdigit()]


def _restore(project: Path, journal: _Journal, *, force: bool) -> Restored:
    put: list[PurePosixPath] = []
    left: list[PurePosixPath] = []
    # New files go first: a full disk has room again for what was there before.
    for step in sorted(journal.steps, key=lambda step: step.before is not None):
        if look(project, step.path) == step.before:
            continue
        if (force and not isinstance(look(project, step.path), Obstacle)) or _untouched(project, step):
            _put(project, step.path, step.before)
            put.append(step.path)
        else:
            left.append(step.path)
    return Restored(journal.title, tuple(sorted(put)), tuple(sorted(left)))


def _untouched(project: Path, step: _Step) -> bool:
    found = look(project, step.path)
    return found == step.before or (not isinstance(found, Obstacle) and _digest(found) == step.after)


def _digest(held: Held | None) -> str:
    return "" if held is None else f"{held.mode:o}-{hashlib.sha256(held.content).hexdigest()}"


def _put(project: Path, path: PurePosixPath, held: Held | None) -> None:
    target = project / path
    if held is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, held)
        return
    target.unlink(missing_ok=True)
    for folder in target.parents:
        if folder == project or not _emptied(folder):
            return


def _emptied(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _write(target: Path, held: Held) -> None:
    beside = target.with_name(f".{target.name}.sentient-new")
    try:
        with beside.open("wb") as file:
            file.write(held.content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(held.mode)
        beside.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)
        raise


def _settle(folder: Path) -> None:
    """Bring the names of a directory's files to the disk: the archive is there before the first file is another."""
    if os.name == "nt":
        return  # a directory cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pack(title: str, conflicts: Iterable[PurePosixPath], writes: Writes) -> bytes:
    steps = [
        {"path": str(path), "mode": before.mode if before else None, "after": _digest(after)}
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


def _read(file: Path) -> _Journal:
    try:
        with zipfile.ZipFile(file) as archive:
            told = cast("dict[str, object]", json.loads(archive.read(_JOURNAL)))
            steps = tuple(
                _step(number, fields, archive)
                for number, fields in enumerate(cast("list[dict[str, object]]", told["steps"]))
            )
        conflicts = tuple(cast("list[str]", told["conflicts"]))
        return _Journal(str(told["title"]), conflicts, steps)
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ProjectError(
            "What is kept of an update is damaged",
            why=f"{file}: {error}",
            fix=f"Remove {file}; git has what was there before",
        ) from error


def _step(number: int, fields: Mapping[str, object], archive: zipfile.ZipFile) -> _Step:
    path, mode = PurePosixPath(str(fields["path"])), fields["mode"]
    if not is_plain_name(path):
        raise ValueError(f"{path} is outside of the project")
    before = Held(archive.read(str(number)), mode) if isinstance(mode, int) else None
    return _Step(path, before, str(fields["after"]))
