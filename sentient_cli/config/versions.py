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
import time
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from sentient_cli import paths
from sentient_cli.config.differences import Change, Table, changes_between, masked
from sentient_cli.config.disk import locked, replace
from sentient_cli.config.toml_text import value_text
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError

__all__ = ["Means", "Version", "Versions"]

Means: TypeAlias = Literal["file", "set", "unset", "edit", "rollback", "api", "dev", "serve"]
"""How a change came about; by hand, it is `file` where a command noticed it, else what was running."""

_MOST: Final = 500
_LARGEST: Final = 8 * 1024 * 1024
_LONGEST_NAME: Final = 200


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a file since one change of them.

    Args:
        number: Counts from 1 for each file; no number is used twice.
        at: When, in UTC.
        who: The user and the machine.
        means: How it came about.
        note: What more there is to say, such as the version that was gone back to.
        file: The settings file.
        changes: What is different from the version before, with secrets masked.
        settings: The settings as TOML, with secrets masked.
        sha256: Of ``settings``, by which a damaged version is known.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     version = Versions(Path(folder, "sentient.toml")).note({"server": {"port": 1}}, "api")
        >>> version.number, version.means, version.table(), version.is_whole
        (1, 'api', {'server': {'port': 1}}, True)
    """

    number: int
    at: str
    who: str
    means: Means
    note: str
    file: str
    changes: tuple[Change, ...]
    settings: str
    sha256: str

    @property
    def is_whole(self) -> bool:
        """Whether it is what was written."""
        return _digest(self.settings) == self.sha256

    def table(self) -> Table:
        """The settings.

        Raises:
            ConfigError: the version is damaged.
        """
        if not self.is_whole:
            raise ConfigError(f"Version {self.number} is damaged", why="It is not what was written", fix="Take another")
        table: Table = tomllib.loads(f"settings = {self.settings}")["settings"]
        return table


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
        """All that are kept and can be read, the oldest first."""
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
        version = self._read(number)
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
        with locked(self.lock):
            latest = self.latest()
            settings = masked(table)
            changes = changes_between(masked(latest.table()) if latest else {}, settings)
            if latest is not None and not changes:
                return None
            numbers = self._numbers()
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
                sha256=_digest(text),
            )
            replace(self._path(version.number), msgspec.json.format(msgspec.json.encode(version), indent=1))
            self._prune()
            return version

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - a Path for each would cost more than the listing
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(
                f"{self._folder} cannot be read", why=error.strerror or "", fix="Check its rights"
            ) from None
        return sorted(int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdecimal())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.json"

    def _read(self, number: int) -> Version | None:
        try:
            return msgspec.json.decode(self._path(number).read_bytes(), type=Version)
        except (OSError, msgspec.DecodeError):
            return None

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


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def who() -> str:
    """Who changes settings here: the user and the machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container may run as a user without a name
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{platform.node()}"[:_LONGEST_NAME]
