"""A copy of a settings file that somebody edits, which is not lost unless it was taken."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sentient_cli import paths
from sentient_cli.config.drafted import in_copy
from sentient_cli.config.writing import Target, Written, rewrite, text_of
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Draft"]

_KEPT: Final = 30 * 24 * 3600.0
"""Seconds for which a copy that was refused is kept."""
_MOST: Final = 20
_FRESH: Final = 24 * 3600.0
"""Seconds in which somebody may still be at work on one, however many there are."""


class Draft:
    """A private copy of a settings file; a context manager that removes it where nothing in it would be lost.

    Args:
        target: The settings file.

    Attributes:
        path: The copy.

    Raises:
        ConfigError: it cannot be made.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._before = text_of(target)
        self._taken = False
        self.path: Path = Path()

    def __enter__(self) -> Self:
        folder = paths.state_dir() / "edits"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _prune(folder)
            self.path = Path(tempfile.mkdtemp(dir=folder)) / self._target.file.name
            self.path.write_text(self._before, encoding="utf-8", newline="")
        except OSError as error:
            if self.path.name:
                shutil.rmtree(self.path.parent, ignore_errors=True)
            raise ConfigError(
                f"{folder} cannot be written", why=error.strerror or "", fix="Check the free space and the rights"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._taken or not self.path.is_file() or not self.differs:
            shutil.rmtree(self.path.parent, ignore_errors=True)

    @property
    def differs(self) -> bool:
        """Whether it says something else than the file did."""
        try:
            return self._text() != self._before
        except ConfigError:
            return True

    def take(self) -> Written:
        """Have the file hold what the copy does, if that is valid.

        Raises:
            ConfigError: it is not, or the file was changed meanwhile; the copy stays.
        """
        text = self._text()

        def taken(now: str) -> str:
            if now != self._before:
                raise ConfigError(
                    f"{self._target.file} was changed while you edited it", fix="Bring both together by hand"
                )
            return text

        try:
            written = rewrite(self._target, taken, means="edit", origin="")
        except ConfigError as error:
            raise in_copy(error, self._target.file, self.path) from None
        self._taken = True
        return written

    def _text(self) -> str:
        try:
            return self.path.read_bytes().decode().removeprefix("\ufeff")
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read", why=error.strerror or "") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{self.path} is not UTF-8", fix="Save it as UTF-8") from None


def _prune(folder: Path) -> None:
    """Remove copies that nobody came back to."""
    now = time.time()
    found = sorted(((now - _changed_at(path), path) for path in folder.iterdir()), key=lambda each: each[0])
    for place, (age, path) in enumerate(found, 1):
        if age > _KEPT or (place >= _MOST and age > _FRESH):
            shutil.rmtree(path, ignore_errors=True)


def _changed_at(path: Path) -> float:
    return max((each.lstat().st_mtime for each in (path, *path.glob("*"))), default=0.0)
