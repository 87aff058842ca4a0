"""Changes to a project that are made whole or not at all, and that can be taken back.

Before the first file is touched, all of them are in one archive as they were. While the files are being changed it is
called ``pending.zip``; afterwards it has a number. So whoever finds a ``pending.zip`` knows that somebody was
interrupted, and puts back every file that is no longer as it was.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeVar

from sentient_cli.errors import ProjectError
from sentient_cli.scaffold.changes import Held, Obstacle, look
from sentient_cli.scaffold.journal import Journal, Step, Writes, digest, pack, read, require_room
from sentient_cli.scaffold.plainfiles import open_plain, require_folder

__all__ = ["FOLDER", "Restored", "carry_out", "folder_of", "heal", "is_pending", "last_conflicts", "undo"]

FOLDER = PurePosixPath(".sentient/undo")
KEPT = 10
"""How many updates can be taken back, one after the other."""
_PENDING = "pending.zip"
_P = TypeVar("_P", bound=PurePath)


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


def folder_of(project: Path) -> Path:
    """The directory of the archives, which keeps itself out of git.

    Raises:
        OSError: it cannot be made.
        ProjectError: it is a link, or leads through one.
    """
    folder = project / FOLDER
    for place in (folder.parent, folder):
        require_folder(place)
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(open_plain(folder / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as file:
            file.write("*\n")
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
    require_room(writes)
    _write(pending, Held(pack(title, conflicts, writes), 0o600))
    _settle(folder)
    try:
        for path, (before, after) in writes.items():
            if check is not None:
                check()
            _require_unchanged(project, path, before)
            _put(project, path, after)
    except BaseException:
        _restore(project, read(pending), force=False)
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
    restored = _restore(project, read(pending), force=False)
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
    journal = read(last)
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


def last_conflicts(project: Path) -> Mapping[PurePosixPath, Sequence[PurePosixPath]]:
    """The files in which the last change left something to decide, each with those that it has put beside it."""
    folder = project / FOLDER
    numbers = sorted(_numbers(folder))
    if not numbers:
        return {}
    last = read(folder / f"{numbers[-1]:06}.zip")
    new = [step.path for step in last.steps if step.before is None]
    return {
        path: [each for each in new if each.parent == path.parent and each.name.startswith(f"{path.name}.template")]
        for path in map(PurePosixPath, last.conflicts)
    }


def _numbers(folder: Path) -> list[int]:
    return [int(file.stem) for file in folder.glob("[0-9]*.zip") if file.stem.isdigit()]


def _restore(project: Path, journal: Journal, *, force: bool) -> Restored:
    put: list[PurePosixPath] = []
    left: list[PurePosixPath] = []
    # New files go first: a full disk has room again for what was there before.
    for step in sorted(journal.steps, key=lambda step: step.before is not None):
        _sweep(project, step.path)
        if look(project, step.path) == step.before:
            continue
        if (force and not isinstance(look(project, step.path), Obstacle)) or _untouched(project, step):
            _put(project, step.path, step.before)
            put.append(step.path)
        else:
            left.append(step.path)
    return Restored(journal.title, tuple(sorted(put)), tuple(sorted(left)))


def _sweep(project: Path, path: PurePosixPath) -> None:
    """Remove what one who was killed left beside a file that was being written."""
    beside = _beside(path)
    if isinstance(look(project, beside), Held):
        _put(project, beside, None)


def _untouched(project: Path, step: Step) -> bool:
    found = look(project, step.path)
    return found == step.before or (not isinstance(found, Obstacle) and digest(found) == step.after)


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


def _beside(path: _P) -> _P:
    return path.with_name(f".{path.name}.sentient-new")


def _write(target: Path, held: Held) -> None:
    beside = _beside(target)
    try:
        beside.unlink(missing_ok=True)  # of one who was interrupted, or a link that leads elsewhere
        descriptor = open_plain(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "wb") as file:
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
