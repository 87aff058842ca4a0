"""How much a template may take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sentient_cli.errors import TemplateUnsafeError

__all__ = ["Limits", "walk"]

_MEGA = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a template that is not ours may take.

    Args:
        seconds: How long a step of it may run.
        memory: Bytes of address space.
        total: Bytes of all files together, of the template and of what it renders.
        files: How many files.
    """

    seconds: float = 30.0
    memory: int = 1024 * _MEGA
    total: int = 64 * _MEGA
    files: int = 5000

    def check(self, what: str, files: int, total: int) -> None:
        """Refuse what is too much.

        Raises:
            TemplateUnsafeError: it is.
        """
        if files > self.files or total > self.total:
            over = f"more than {self.files} files" if files > self.files else f"more than {self.total // _MEGA} MiB"
            raise TemplateUnsafeError(
                f"{what} is larger than a template may be", why=f"It has {over}", fix="Use a smaller template"
            )


def walk(
    root: Path, limits: Limits, what: str, *, git: bool = False
) -> Iterator[tuple[PurePosixPath, os.DirEntry[str]]]:
    """Every file below ``root``, by name; links are not followed.

    Args:
        root: A directory.
        limits: How much may be in it.
        what: What it is, for a reader.
        git: Whether the repository that ``root`` itself is belongs to it.

    Raises:
        TemplateUnsafeError: there is too much.
    """
    total = 0
    for files, (name, entry) in enumerate(_entries(root, PurePosixPath(), git=git), 1):
        total += entry.stat(follow_symlinks=False).st_size
        limits.check(what, files, total)
        yield name, entry


def _entries(folder: Path, prefix: PurePosixPath, *, git: bool) -> Iterator[tuple[PurePosixPath, os.DirEntry[str]]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name == ".git" and not git:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), prefix / entry.name, git=True)
        else:
            yield prefix / entry.name, entry
