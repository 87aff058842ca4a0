"""One version of a settings file: what it said since a change, without its secrets."""

from __future__ import annotations

import hashlib
import tomllib
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import msgspec

from sentient_cli.config.differences import Change, Table, changes_between, leaves, masked, masked_at
from sentient_cli.config.toml_text import value_text
from sentient_cli.config.veiled import Veiled
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Means", "Version", "damaged_version", "digest_of", "masked_version"]

Means: TypeAlias = Literal["file", "set", "unset", "edit", "rollback", "api", "dev", "serve", "unknown"]
"""How a change came about; by hand, it is `file` where a command noticed it, else what was running."""


class Version(Veiled, frozen=True, kw_only=True):
    """The settings of a file since one change of them.

    Args:
        number: Counts from 1 for each file; no number is used twice.
        at: When, in UTC; empty where it is not known any more.
        who: The user and the machine; empty where that is not known any more.
        means: How it came about.
        note: What more there is to say, such as the version that was gone back to.
        file: The settings file.
        changes: What is different from the version before, with secrets masked.
        settings: The settings as TOML, with secrets masked.
        sha256: Of ``settings``, by which a damaged version is known.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sentient_cli.config.versions import Versions
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
        return digest_of(self.settings) == self.sha256

    def table(self) -> Table:
        """The settings.

        Raises:
            ConfigError: the version is damaged.
        """
        try:
            if self.is_whole:
                return cast("Table", tomllib.loads(f"settings = {self.settings}")["settings"])
        except (ValueError, RecursionError):
            pass
        raise ConfigError(f"Version {self.number} is damaged", why="It is not what was written", fix="Take another")


def digest_of(settings: str) -> str:
    """What a version is known by that is as it was written.

    Args:
        settings: Its settings as TOML.

    Example:
        >>> digest_of("{}")[:8]
        '44136fa3'
    """
    return hashlib.sha256(settings.encode("utf-8", "surrogatepass")).hexdigest()


def damaged_version(number: int, file: Path) -> Version:
    """What stands for a version of which nothing can be read.

    Args:
        number: Its number.
        file: The settings file.

    Example:
        >>> from pathlib import Path
        >>> damaged_version(3, Path("sentient.toml")).is_whole
        False
    """
    return Version(
        number=number, at="", who="", means="unknown", note="", file=str(file), changes=(), settings="", sha256=""
    )


def masked_version(version: Version) -> Version:
    """The same without secrets that were not known as such when it was recorded.

    Args:
        version: One that is whole.

    Raises:
        ConfigError: the version is damaged.
    """
    table = version.table()
    hidden = masked(table)
    changes = tuple(_masked_change(change) for change in version.changes)
    if not changes_between(table, hidden) and changes == version.changes:
        return version
    text = value_text(hidden)
    return msgspec.structs.replace(version, settings=text, sha256=digest_of(text), changes=changes)


def _masked_change(change: Change) -> Change:
    try:
        ((path, _),) = leaves(tomllib.loads(f"{change.key} = 0"))
    except ValueError:  # not a name as we write it
        path = ("headers", "token")
    before, after = (None if each is None else masked_at(each, path) for each in (change.before, change.after))
    return Change(change.key, before, after)
