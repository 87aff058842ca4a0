"""A settings file is set back to what one of its versions says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from sentient_cli.config.differences import ABSENT, Table, differences, hides, is_entry, leaves, masked
from sentient_cli.config.toml_edit import has_key, set_key, unset_key
from sentient_cli.config.toml_text import key_text
from sentient_cli.config.versions import Versions
from sentient_cli.config.writing import Target, Written, rewrite, settings_in
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["roll_back"]


def roll_back(target: Target, number: int) -> tuple[Written, Sequence[str]]:
    """Set the settings of a file back to those of a version. Comments and order stay as they are today.

    Args:
        target: The file.
        number: The version.

    Returns:
        What came of it, and the keys of secrets that were left as they are, since no version has them.

    Raises:
        ConfigError: the version is damaged or no longer valid; nothing was changed.
        ConfigurationNotFoundError: there is no such version.
    """
    wanted = Versions(target.file).get(number).table()
    left: list[str] = []

    def edited(text: str) -> str:
        left.clear()
        for path in _gone(masked(settings_in(target, text)), wanted):
            text = unset_key(text, (*target.root, *path))
        for path, now, then in differences(masked(settings_in(target, text)), wanted):
            full = (*target.root, *path)
            if hides(now) or hides(then):
                left.append(key_text(path))
            elif then is ABSENT:
                text = unset_key(text, full)
            else:
                text = set_key(text, full, then)
        for path, value in leaves(wanted):  # with the last value in it, a table is gone
            if value == {} and not has_key(text, (*target.root, *path)):
                text = set_key(text, (*target.root, *path), {})
        return text

    try:
        return rewrite(target, edited, means="rollback", note=f"to version {number}", origin=f"version {number}"), left
    except ConfigError as error:
        said = f"{error.what}. {error.why}" if error.why else error.what
        raise ConfigError(
            f"Version {number} cannot be gone back to, and nothing was changed",
            why=said,
            fix=error.fix or "Take another version: `sentient config history` lists them",
            detail=error.detail,
            where=error.where,
        ) from None


def _gone(now: Table, wanted: Table, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The tables of today, such as that of a provider, that a version has nothing of, and that hold no secrets."""
    for name, item in now.items():
        way, then = (*path, name), wanted.get(name)
        if not isinstance(item, Mapping):
            continue
        inner = cast("Table", item)
        if name not in wanted and is_entry(way) and not any(hides(value) for _, value in leaves(inner)):
            yield way
        else:
            yield from _gone(inner, cast("Table", then) if isinstance(then, Mapping) else {}, way)
