"""The files that settings come from: what they hold, and where to listen for a change of it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from sentient_cli import paths
from sentient_cli.config.envfile import ENV_FILE
from sentient_cli.config.places import MAXIMUM_SIZE, PROJECT_FILE, PYPROJECT

if TYPE_CHECKING:
    from sentient_cli.config.loading import Loaded

__all__ = ["Contents", "contents_of", "doorways", "is_doubtful", "settings_files"]

Contents: TypeAlias = Mapping[Path, bytes]
"""What each file holds, as a digest; files that are not there are left out."""

_EMPTY: Final = hashlib.blake2b(digest_size=16).digest()
_MOST_LINKS: Final = 40


def settings_files(loaded: Loaded, start: Path) -> tuple[Path, ...]:
    """The files that settings come from, or would come from if they were there.

    Args:
        loaded: The settings.
        start: Where the project was looked for, upward from there.

    Returns:
        The user's own settings, the variables, and the project's settings up to the directory of the project.
    """
    start = start.absolute()
    home = loaded.project_dir or start
    nearer = [folder for folder in (start, *start.parents) if folder.is_relative_to(home)]
    return (
        paths.user_config_file(),
        loaded.env_file or home / ENV_FILE,
        *(folder / name for folder in nearer for name in (PROJECT_FILE, PYPROJECT)),
    )


def contents_of(files: Iterable[Path]) -> Contents:
    """What files hold now; reads them, so best in a thread.

    Args:
        files: Which.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "sentient.toml")
        ...     before = contents_of([file])
        ...     _ = file.write_text("[server]")
        ...     before == contents_of([file]), before
        (False, {})
    """
    found = {path: _digest(path) for path in files}
    return {path: digest for path, digest in found.items() if digest}


def is_doubtful(before: Contents, after: Contents) -> bool:
    """Whether it looks as if somebody is in the middle of writing: a file is empty or gone that was neither.

    Args:
        before: What files held.
        after: What they hold now.
    """
    return any(after.get(path, _EMPTY) == _EMPTY != digest for path, digest in before.items())


def doorways(files: Iterable[Path]) -> Mapping[str, frozenset[str]]:
    """Where to listen for changes: the directories in which something leads to a file, and what is called so there.

    A file that is reached through links changes when one of them leads elsewhere, such as ``..data`` of a ConfigMap in
    Kubernetes. Where a directory is missing, the one is told in which it would be made.

    Args:
        files: Which.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = doorways([Path(os.path.realpath(folder), "sentient.toml")])
        ...     [sorted(names) for names in found.values()]
        [['sentient.toml']]
    """
    found: dict[str, set[str]] = {}
    for path in files:
        for directory, name in _steps(path.absolute()):
            found.setdefault(str(directory), set()).add(name)
    return {directory: frozenset(names) for directory, names in found.items()}


def _steps(path: Path) -> list[tuple[Path, str]]:
    """On the way to a file: each link, what is missing, and the file itself, with the directory that it is in."""
    steps: list[tuple[Path, str]] = []
    here, ahead, links = Path(path.anchor), list(path.parts[1:]), 0
    while ahead:
        name = ahead.pop(0)
        if name == os.pardir:
            here = here.parent
            continue
        there = here / name
        target = _target(there)
        if target is None:
            if not ahead or not there.is_dir():
                steps.append((here, name))
                break
            here = there
            continue
        steps.append((here, name))
        links += 1
        if links > _MOST_LINKS:
            break
        ahead = [*target.parts[bool(target.anchor) :], *ahead]
        here = Path(target.anchor) if target.anchor else here
    return steps


def _target(path: Path) -> Path | None:
    """Where a link leads; None when it is no link."""
    try:
        return path.readlink()
    except OSError:
        return None


def _digest(path: Path) -> bytes:
    try:
        # It may be a pipe, which would not come to an end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        return f"{error.errno}".encode()
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return hashlib.blake2b(_read(descriptor), digest_size=16).digest()
    except OSError as error:
        return f"{error.errno}".encode()
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    pieces: list[bytes] = []
    left = MAXIMUM_SIZE + 1
    while left and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
