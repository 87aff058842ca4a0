"""Where a project's files are, and their text: what is needed without the settings themselves."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MAXIMUM_SIZE",
    "PROJECT_FILE",
    "PYPROJECT",
    "FoundFile",
    "find_project_file",
    "home_of",
    "is_file",
    "is_of_others",
    "look_for_project_file",
    "read_bytes",
    "read_text",
]

PROJECT_FILE = "sentient.toml"
PYPROJECT = "pyproject.toml"
MAXIMUM_SIZE = 1024 * 1024
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class FoundFile(NamedTuple):
    """The settings file of a project.

    Args:
        path: It; None: there is none.
        passed_over: Files that somebody else has put where everybody can, such as into ``/tmp``: they do not count.
    """

    path: Path | None
    passed_over: tuple[Path, ...] = ()


def find_project_file(start: Path) -> Path | None:
    """The settings file of the project that ``start`` is in: ``sentient.toml``, or a ``pyproject.toml`` with our table.

    The nearest directory wins, and in one directory ``sentient.toml``.

    Raises:
        ConfigError: what is called ``sentient.toml`` is no file.
    """
    return look_for_project_file(start).path


def look_for_project_file(start: Path) -> FoundFile:
    """The same, with what was passed over on the way.

    Raises:
        ConfigError: what is called ``sentient.toml`` is no file.
    """
    passed_over: list[Path] = []
    for directory in (start, *start.parents):
        for path in (directory / PROJECT_FILE, directory / PYPROJECT):
            if not (os.path.lexists(path) if path.name == PROJECT_FILE else path.is_file() and _mentions_us(path)):
                continue
            if is_of_others(path, chosen=directory == start):
                passed_over.append(path)
            elif is_file(path):
                return FoundFile(path, tuple(passed_over))
    return FoundFile(None, tuple(passed_over))


def is_of_others(path: Path, *, chosen: bool) -> bool:
    """Whether somebody else has put a file where everybody can put one.

    Args:
        path: The file, or a link to it.
        chosen: Whether whoever works here has named its directory. Then it has to be one that is shared, as `/tmp` is,
            and not only one with generous rights, as volumes of containers have.
    """
    if os.name == "nt":
        return False
    try:
        around, owner = path.parent.stat().st_mode, path.lstat().st_uid
    except OSError:  # whoever reads it is told
        return False
    shared = around & stat.S_IWOTH and (not chosen or around & stat.S_ISVTX)
    return bool(shared) and owner not in {0, os.geteuid()}


def is_file(path: Path) -> bool:
    """Whether a file is there. A folder counts as nothing: that of a virtual environment may be called ``.env``.

    Raises:
        ConfigError: a link that leads nowhere is there, or a pipe or a device, which nobody means to be passed over.
    """
    if path.is_file():
        return True
    if not os.path.lexists(path) or path.is_dir() or path.is_file():
        return False
    why = "It is a link that leads nowhere" if path.is_symlink() and not path.exists() else "It is a pipe or a device"
    raise ConfigError(f"{path} is no file", why=why, fix="Put a file in its place, or remove it")


def _mentions_us(path: Path) -> bool:
    # A pyproject.toml of somebody else may be broken or unreadable, which is no concern of ours.
    try:
        return re.search(r"tool[\"']?\s*\.\s*[\"']?sentient\b", read_text(path)) is not None
    except ConfigError:
        return False


def home_of(start: Path) -> Path:
    """The directory of the project that ``start`` is in; itself where it is in none."""
    file = find_project_file(start)
    return file.parent if file is not None else start


def read_bytes(path: Path, most: int = -1) -> bytes:
    """What a file holds. Nothing waits for what is none, such as a pipe in which nobody writes.

    Args:
        path: The file.
        most: How many bytes of it are enough; all of them unless given.

    Raises:
        ConfigError: it is no file.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path} is no file", why="It is a folder, a pipe or a device", fix="Put a file in its place")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)


def read_text(path: Path) -> str:
    """The text of a small UTF-8 file, with its line ends made one.

    Raises:
        ConfigError: it cannot be read, is larger than 1 MiB, or is no UTF-8.
    """
    try:
        data = read_bytes(path, MAXIMUM_SIZE + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read", why=error.strerror or "", fix="Check the path and its rights"
        ) from None
    if len(data) > MAXIMUM_SIZE:
        raise ConfigError(f"{path} is larger than 1 MiB", fix="Check that it is the right file")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8-sig")
        raise ConfigError(
            f"{path} is not UTF-8",
            why=f"Line {line} has another encoding",
            fix="Save it as UTF-8",
            where=f"{path}:{line}:{len(before) + 1}",
        ) from None
