"""Putting a project where it belongs: all of it or nothing, and taken back without a trace of us or a loss of yours."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sentient_cli.errors import ProjectError, ProjectExistsError
from sentient_cli.scaffold.rendering import RenderedFile

__all__ = ["Placed", "place", "require_place"]


_KEPT = ".sentient-kept-"


@dataclass(slots=True)
class Placed:
    """A project that was put in its place, as long as it may be taken back.

    Args:
        target: Its directory.
        created: Whether the directory, and all in it, is ours.
    """

    target: Path
    created: bool = False
    _folders: list[Path] = field(default_factory=list[Path])
    _written: list[Path] = field(default_factory=list[Path])
    _kept: list[tuple[Path, Path]] = field(default_factory=list[tuple[Path, Path]])
    _adopted: list[Path] = field(default_factory=list[Path])
    _aside: Path | None = None

    def adopt(self, *names: str) -> None:
        """What a program is about to make in the directory is ours, unless it is there already."""
        self._adopted += [path for name in names if not os.path.lexists(path := self.target / name)]

    def renew(self, name: str) -> None:
        """A program is about to make this file anew; the one that is there is set aside.

        Raises:
            OSError: it cannot be moved.
        """
        path = self.target / name
        if self.created or path in self._written:
            return
        if os.path.lexists(path):
            self._keep(path)
        self._adopted.append(path)

    @property
    def ours(self) -> list[Path]:
        """Every file in the directory that is ours, when the directory itself is not."""
        return [path for path in (*self._written, *self._adopted) if path.is_file() and not path.is_symlink()]

    def undo(self) -> None:
        """Remove what was written and restore what was replaced; nothing else is touched.

        Raises:
            OSError: something could not be removed; all the rest was.
        """
        failures: list[OSError] = []
        for path in (self.target,) if self.created else (*self._adopted, *reversed(self._written)):
            with _noted(failures):
                _remove(path)
        for original, aside in self._kept:
            with _noted(failures):
                aside.replace(original)
        if self._aside is not None:
            with _noted(failures):
                _remove_empty(self._aside)
        for folder in reversed(self._folders):
            with contextlib.suppress(OSError):  # somebody has put something into it
                folder.rmdir()
        if failures:
            raise failures[0]

    def settle(self) -> None:
        """It stays: what was replaced is let go."""
        if self._aside is not None:
            _remove(self._aside)

    def _make_parents(self, folder: Path) -> None:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            if os.path.lexists(parent) and not parent.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, f"{parent} is a link that leads nowhere, or no directory")
            self._folders.append(parent)
            parent.mkdir(exist_ok=True)

    def _keep(self, path: Path) -> None:
        if self._aside is None:
            self._aside = self.target / f"{_KEPT}{secrets.token_hex(4)}"
            self._aside.mkdir(mode=0o700)
        aside = self._aside / path.relative_to(self.target)  # its name: who is killed now leaves it to be found
        aside.parent.mkdir(parents=True, exist_ok=True)
        self._kept.append((path, aside))
        path.replace(aside)


def require_place(target: Path, *, force: bool) -> None:
    """Refuse a directory that a project cannot be put into.

    Raises:
        ProjectExistsError: it is a file, or not empty without ``force``.
        ProjectError: it cannot be read.
    """
    with _explained(target):
        if target.is_dir():
            with os.scandir(target) as entries:
                taken = not force and next(entries, None) is not None
        else:
            taken = os.path.lexists(target)
    if taken:
        what = "is a directory that is not empty" if target.is_dir() else "is there already"
        fix = "Choose another name, or write into it with `--force`" if target.is_dir() else "Choose another name"
        raise ProjectExistsError(f"{target} {what}", fix=fix)


def place(files: Mapping[PurePosixPath, RenderedFile], target: Path, *, force: bool = False) -> Placed:
    """Write the files of a project.

    A new directory appears at once, complete. Into one that exists they are written one by one; those of the same name
    are set aside until `Placed.settle`.

    Args:
        files: By their place in the project.
        target: The project's directory.
        force: Whether the directory may hold other files, and files of the same name be replaced.

    Raises:
        ProjectExistsError: the directory is taken.
        ProjectError: it cannot be written; nothing is left of it.
    """
    require_place(target, force=force)
    placed = Placed(target)
    try:
        with _explained(target):
            if target.is_dir():
                _into(files, placed, force=force)
            else:
                _anew(files, placed)
    except BaseException:
        placed.undo()
        raise
    return placed


def _anew(files: Mapping[PurePosixPath, RenderedFile], placed: Placed) -> None:
    target = placed.target
    placed._make_parents(target.parent)  # noqa: SLF001 - this module's own
    beside = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        beside.mkdir()
        for name, file in files.items():
            _write(beside / name, file, [])
        beside.rename(target)
    except BaseException:
        _remove(beside)
        raise
    placed.created = True


def _into(files: Mapping[PurePosixPath, RenderedFile], placed: Placed, *, force: bool) -> None:
    _require_room(files, placed.target)
    _require_nothing_kept(placed.target)
    for name, file in files.items():
        path = placed.target / name
        placed._make_parents(path.parent)  # noqa: SLF001 - this module's own
        if os.path.lexists(path):
            if not force:  # somebody else was quicker
                raise ProjectExistsError(f"{path} is there already", fix="Choose another name")
            placed._keep(path)  # noqa: SLF001 - this module's own
        _write(path, file, placed._written)  # noqa: SLF001 - this module's own


def _require_room(files: Mapping[PurePosixPath, RenderedFile], target: Path) -> None:
    for name in files:
        path = target / name
        parents = [target / parent for parent in name.parents if parent.name]
        wrong = [place for place in parents if place.is_symlink() or (place.exists() and not place.is_dir())]
        wrong += [path] if path.is_dir() and not path.is_symlink() else []
        if wrong:
            raise ProjectExistsError(
                f"{wrong[0]} is in the way of the project's {name}", fix="Move it, or choose another name"
            )


def _require_nothing_kept(target: Path) -> None:
    kept = next(target.glob(f"{_KEPT}*"), None)
    if kept is not None:
        raise ProjectExistsError(
            f"{kept} holds files of yours",
            why="They were set aside by a `sentient create --force` that was killed, or is still running",
            fix=f"Move them back from there, then remove {kept.name}",
        )


def _write(path: Path, file: RenderedFile, written: list[Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if file.executable else 0o666)
    written.append(path)  # only now: what somebody else made meanwhile is not ours to remove
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.content)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        if sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=_insist)
        else:
            shutil.rmtree(path, onerror=_insist)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        Path(place).rmdir()


def _insist(function: object, name: str, _error: object) -> None:
    """What is write-protected, as git's objects are on Windows, is removed all the same."""
    with contextlib.suppress(OSError):
        os.chmod(name, 0o700)  # noqa: PTH101 - a name, as rmtree has it
        if callable(function):
            function(name)


@contextlib.contextmanager
def _noted(failures: list[OSError]) -> Generator[None]:
    try:
        yield
    except OSError as error:
        failures.append(error)


@contextlib.contextmanager
def _explained(target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise ProjectExistsError(
                f"{target} is there already", why="Somebody made it meanwhile", fix="Choose another name"
            ) from error
        fixes = {errno.ENOSPC: "Free some space", errno.EDQUOT: "Free some space"}
        raise ProjectError(
            f"The project cannot be written to {target}",
            why=error.strerror or type(error).__name__,
            fix=fixes.get(error.errno or 0, "Choose a directory that you may write to"),
        ) from error
