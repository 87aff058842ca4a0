"""What a template became: files in memory, and where they come from."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sentient_cli.errors import TemplateUnsafeError
from sentient_cli.scaffold.limits import Limits, walk

__all__ = ["RenderedFile", "Rendering", "read_back"]


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One file.

    Args:
        content: Its bytes.
        executable: Whether it is a program.
    """

    content: bytes
    executable: bool = False

    @property
    def mode(self) -> int:
        """Its mode bits."""
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True, slots=True)
class Rendering:
    """The files of a project as its template has them, by their place in it, in order.

    Args:
        files: Relative names with ``/`` and their files.

    Raises:
        TemplateUnsafeError: a name that no project may have, such as one that leads out of it.
    """

    files: Mapping[PurePosixPath, RenderedFile]

    def __post_init__(self) -> None:
        for name in self.files:
            _require_plain_name(name)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(len(file.content) for file in self.files.values())


def read_back(folder: Path, limits: Limits, *, git: bool) -> Rendering:
    """The files below a directory that a program filled, which is trusted with nothing.

    Args:
        folder: The directory.
        limits: How much may be in it.
        git: Whether a repository at its top is looked at like the rest; else it is left out.

    Raises:
        TemplateUnsafeError: there is more than allowed, or something that is no plain file, or a name that no project
            may have.
    """
    files: dict[PurePosixPath, RenderedFile] = {}
    for name, entry in walk(folder, limits, "What the template renders", git=git):
        _require_plain_name(name)
        mode = entry.stat(follow_symlinks=False).st_mode
        if not stat.S_ISREG(mode):
            raise TemplateUnsafeError(
                f"The template renders {name.as_posix()!r}, which is no plain file of a project",
                fix="Replace links by the files they lead to",
            )
        files[name] = RenderedFile(Path(entry.path).read_bytes(), bool(mode & stat.S_IXUSR))
    return Rendering(dict(sorted(files.items())))


def _require_plain_name(name: PurePosixPath) -> None:
    if not is_plain_name(name):
        raise TemplateUnsafeError(
            f"The template renders {name.as_posix()!r}, which is no place in a project",
            why="It leads out of the project or into git's own directory",
            fix="Correct the template, or the value that was given for it with --data",
        )


def is_plain_name(name: PurePosixPath) -> bool:
    """Whether a file may have this place in a project: in it, and not in git's own directory.

    Example:
        >>> [is_plain_name(PurePosixPath(name)) for name in ("a/b", "../a", "/a", ".git/config", "a/.GIT/hooks/x")]
        [True, False, False, False, False]
    """
    if "\\" in str(name) or "\0" in str(name):
        return False  # Windows would take it for several names
    parts = [part.lower().rstrip(". ") for part in name.parts]
    return bool(parts) and not name.is_absolute() and ".git" not in parts and ".." not in name.parts
