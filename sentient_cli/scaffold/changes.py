"""What an update does to each file of a project: decided first, in memory, and carried out by others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.merge import is_binary, merge_text, with_line_ends_of
from sentient_cli.scaffold.rendering import RenderedFile, Rendering

__all__ = ["Action", "Change", "Held", "Obstacle", "decide", "look", "writes"]

Action = Literal["added", "updated", "merged", "conflict", "removed", "kept", "left out"]
_EXECUTE = 0o111
_OURS = ".sentient"


@dataclass(frozen=True, slots=True)
class Held:
    """A file as it is in a project.

    Args:
        content: Its bytes.
        mode: Its permission bits.
    """

    content: bytes
    mode: int = 0o644

    @property
    def executable(self) -> bool:
        """Whether its owner may run it."""
        return bool(self.mode & 0o100)

    def changed(self, content: bytes, *, executable: bool) -> Held:
        """The same file with another content; its other permissions stay."""
        if executable == self.executable:
            return Held(content, self.mode)
        mode = self.mode | ((self.mode >> 2) & _EXECUTE) if executable else self.mode & ~_EXECUTE
        return Held(content, mode)


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one file.

    Args:
        path: Its place in the project.
        action: What happens. ``kept`` and ``left out`` change nothing, and are told.
        before: The file as it is; None when there is none.
        after: The file as it will be; None when there will be none.
        note: What a reader should know.
        conflicts: In how many places the user has to decide.
    """

    path: PurePosixPath
    action: Action
    before: Held | None
    after: Held | None
    note: str = ""
    conflicts: int = 0

    @property
    def writes(self) -> bool:
        """Whether the file becomes another."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something is in the way that is no plain file.

    Args:
        what: What it is, in words.
    """

    what: str


def look(project: Path, path: PurePosixPath) -> Held | Obstacle | None:
    """A file of the project as it is; links are not followed, neither at its place nor on the way there.

    Raises:
        OSError: it cannot be read.
    """
    status = None
    for place in (*reversed(path.parents[:-1]), path):
        try:
            status = (project / place).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(status.st_mode):
            return Obstacle(f"{place} is a link")
        if place != path and not stat.S_ISDIR(status.st_mode):
            return Obstacle(f"{place} is no directory")
    if status is None or not stat.S_ISREG(status.st_mode):
        return Obstacle(f"{path} is no plain file")
    if status.st_size > Limits().total:
        return Obstacle(f"{path} is very large")
    return Held((project / path).read_bytes(), stat.S_IMODE(status.st_mode))


def _new(file: RenderedFile) -> Held:
    mask = os.umask(0o022)  # asking for it sets it
    os.umask(mask)
    return Held(file.content, (0o777 if file.executable else 0o666) & ~mask)


def decide(base: Rendering, template: Rendering, project: Path) -> list[Change]:
    """What an update does, file by file.

    Args:
        base: The template's files as the project began with, or as the last update left them.
        template: The template's files now.
        project: The project.

    Raises:
        OSError: a file cannot be read.
        ProjectError: git is needed and is not there.
    """
    found: list[Change] = []
    taken = {*base.files, *template.files}
    for path in sorted(taken):
        was, now = base.files.get(path), template.files.get(path)
        if was != now and path.parts[0] != _OURS:
            found += _changes(path, was, now, project, taken)
    return found


def _changes(
    path: PurePosixPath, was: RenderedFile | None, now: RenderedFile | None, project: Path, taken: set[PurePosixPath]
) -> Iterator[Change]:
    held = look(project, path)
    if isinstance(held, Obstacle):
        yield Change(path, "left out", None, None, f"{held.what}, and stays as it is")
    elif now is None:
        yield from _removed(path, was, held)
    elif held is None:
        if was is None:
            yield Change(path, "added", None, _new(now))
        else:
            yield Change(path, "left out", None, None, "you deleted it, and it stays deleted")
    else:
        yield from _both(path, was, now, held, project, taken)


def _removed(path: PurePosixPath, was: RenderedFile | None, held: Held | None) -> Iterator[Change]:
    if held is None or was is None:
        return
    if _same(was, held):
        yield Change(path, "removed", held, None)
    else:
        yield Change(path, "kept", held, held, "the template removed it; it stays, since you changed it")


def _same(file: RenderedFile, held: Held) -> bool:
    return with_line_ends_of(held.content, file.content) == held.content and file.executable == held.executable


def _both(
    path: PurePosixPath,
    was: RenderedFile | None,
    now: RenderedFile,
    held: Held,
    project: Path,
    taken: set[PurePosixPath],
) -> Iterator[Change]:
    executable = now.executable if was is None or was.executable == held.executable else held.executable
    ours = with_line_ends_of(held.content, now.content)
    base = with_line_ends_of(held.content, was.content) if was is not None else b""
    if held.content == ours or (was is not None and base == ours):
        after = held.changed(held.content, executable=executable if was is not None else held.executable)
        if after != held:
            yield Change(path, "updated", held, after, "its permissions")
    elif was is not None and held.content == base:
        yield Change(path, "updated", held, held.changed(ours, executable=executable))
    elif any(map(is_binary, (held.content, base, ours))):
        beside = _beside(path, project, taken)
        yield Change(path, "conflict", held, held, f"it is no text; the template's is in {beside.name}", 1)
        yield Change(beside, "added", None, _new(now))
    else:
        merged = merge_text(base, held.content, ours)
        after = held.changed(merged.content, executable=executable)
        places = "1 place is marked" if merged.conflicts == 1 else f"{merged.conflicts} places are marked"
        if merged.conflicts:
            yield Change(path, "conflict", held, after, places, merged.conflicts)
        elif after != held:
            yield Change(path, "merged", held, after)


def _beside(path: PurePosixPath, project: Path, taken: set[PurePosixPath]) -> PurePosixPath:
    names = [f"{path.name}.template", *(f"{path.name}.template-{number}" for number in range(2, 1000))]
    return next(
        place for name in names if (place := path.with_name(name)) not in taken and look(project, place) is None
    )


def writes(changes: Iterable[Change]) -> Mapping[PurePosixPath, tuple[Held | None, Held | None]]:
    """Of each file that becomes another, how it is and how it will be."""
    return {change.path: (change.before, change.after) for change in changes if change.writes}
