"""The versions of a settings file: who changed what, when and by which means.

Each version is a file of its own, private to the user, among what `sentient_cli.paths.state_dir` keeps: the settings as
they were since that change, with their secrets masked. The newest 500 are kept, and at most 8 MiB of them.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import platform
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from sentient_cli import paths
from sentient_cli.config.differences import Table, changes_between, masked
from sentient_cli.config.disk import locked, replace
from sentient_cli.config.toml_text import value_text
from sentient_cli.config.version import Means, Version, damaged_version, digest_of, masked_version
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError

__all__ = ["Means", "Version", "Versions"]

_MOST: Final = 500
_LARGEST: Final = 8 * 1024 * 1024
_LONGEST_NAME: Final = 200
_NAME: Final = re.compile(r"(?:\d{6}|[1-9]\d{6,17})\.json", re.ASCII)
_MASKED: Final = "masked-1"
"""A file that says that all versions are masked as this release masks; with other rules it has another number."""


class Versions:
    """The versions of one settings file.

    Args:
        file: The settings file; it need not exist.
        most: How many are kept.
        largest: How many bytes of them are kept; the newest always is.

    Raises:
        ConfigError: they cannot be read, written, or locked.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     versions = Versions(Path(folder, "sentient.toml"))
        ...     first = versions.note({"server": {"port": 1}}, "file")
        ...     second = versions.note({"server": {"port": 2}}, "api")
        ...     second.number, second.changes, versions.note({"server": {"port": 2}}, "file")
        (2, (Change(key='server.port', before=1, after=2),), None)
    """

    def __init__(self, file: Path, *, most: int = _MOST, largest: int = _LARGEST) -> None:
        self.file: Path = file.absolute()
        self._most = most
        self._largest = largest
        name = hashlib.sha256(os.fsencode(_resolved(self.file))).hexdigest()[:32]
        self._folder = paths.state_dir() / "settings" / name

    @property
    def lock(self) -> Path:
        """What is locked while the settings file is changed."""
        return self._folder / "lock"

    def all(self) -> Sequence[Version]:
        """All that are kept, the oldest first, those that are damaged among them."""
        found = (self._read(number) for number in self._numbers())
        return [version for version in found if version is not None]

    def latest(self) -> Version | None:
        """The newest one that can be read; None: there is none."""
        found = (self._read(number) for number in reversed(self._numbers()))
        return next((version for version in found if version is not None and version.is_whole), None)

    def get(self, number: int) -> Version:
        """One version.

        Args:
            number: Its number.

        Raises:
            ConfigurationNotFoundError: there is none of that number.
        """
        version = self._read(number) if number in self._numbers() else None
        if version is None:
            numbers = self._numbers()
            kept = f"Those from {numbers[0]} to {numbers[-1]} are kept" if numbers else "None was recorded"
            raise ConfigurationNotFoundError(
                f"There is no version {number} of {self.file}", why=kept, fix="`sentient config history` lists them"
            )
        return version

    def note(self, table: Table, means: Means, *, note: str = "") -> Version | None:
        """Record what the file holds, if that is not what the newest version says.

        Args:
            table: The settings of the file.
            means: How they came about.
            note: What more there is to say.

        Returns:
            The new version; None: nothing has changed but secrets.
        """
        settings = masked(table)
        if not self._is_new(settings):  # which asks for no right to write
            return None
        with locked(self.lock):
            if not self._is_new(settings):
                return None
            numbers = self._numbers()
            self._mask_all()
            latest = self.latest()
            changes = changes_between(masked(latest.table()) if latest else {}, settings)
            text = value_text(settings)
            version = Version(
                number=numbers[-1] + 1 if numbers else 1,
                at=datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
                who=who(),
                means=means,
                note=note,
                file=os.fsdecode(os.fsencode(self.file)),
                changes=changes,
                settings=text,
                sha256=digest_of(text),
            )
            self._write(version)
            self._prune()
            return version

    def _is_new(self, settings: Table) -> bool:
        latest = self.latest()
        return latest is None or bool(changes_between(masked(latest.table()), settings))

    def _write(self, version: Version) -> None:
        replace(self._path(version.number), msgspec.json.format(msgspec.json.encode(version), indent=1))

    def _mask_all(self) -> None:
        """Take secrets out of versions that an earlier release wrote, which knew fewer of them as such."""
        mark = self._folder / _MASKED
        if mark.exists():
            return
        for version in self.all():
            if not version.is_whole:  # nobody knows what stands in it
                with contextlib.suppress(OSError):
                    self._path(version.number).unlink()
            elif (hidden := masked_version(version)) is not version:
                self._write(hidden)
        replace(mark, b"")

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - a Path for each would cost more than the listing
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(
                f"{self._folder} cannot be read", why=error.strerror or "", fix="Check its rights"
            ) from None
        return sorted(int(name[:-5]) for name in names if _NAME.fullmatch(name))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

    def _read(self, number: int) -> Version | None:
        """A version; one that stands for it where nothing can be read of it, and None where there is none."""
        try:
            version = msgspec.json.decode(self._path(number).read_bytes(), type=Version)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            return damaged_version(number, self.file)
        return version if version.number == number else damaged_version(number, self.file)

    def _prune(self) -> None:
        size = 0
        for position, number in enumerate(reversed(self._numbers())):
            path = self._path(number)
            with contextlib.suppress(OSError):
                size += path.stat().st_size
                if position >= self._most or (position and size > self._largest):
                    path.unlink()


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a ring of links
        return path


def who() -> str:
    """Who changes settings here: the user and the machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may run as a user without a name
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{platform.node()}"[:_LONGEST_NAME]
