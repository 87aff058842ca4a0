"""Two states of settings compared: versions of a file, or what holds with each of two profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from sentient_cli.config.differences import Change, Table, changes_between, masked
from sentient_cli.config.shown import shown
from sentient_cli.config.versions import Versions
from sentient_cli.config.writing import Target, settings_in
from sentient_cli.errors import ConfigurationNotFoundError, UsageError

if TYPE_CHECKING:
    from sentient_cli.config.settings import Settings

__all__ = ["compared"]

_NOW = "now"


def compared(
    target: Target, before: str | None, after: str | None, held: Callable[[str], Settings]
) -> Sequence[Change]:
    """What is different between two states.

    Args:
        target: The settings file.
        before: A version, ``now``, or a profile; None: the version before the last change.
        after: The same; None: what the file says now.
        held: Gives the settings that hold with a profile.

    Raises:
        ConfigurationNotFoundError: there is no such version or profile.
        UsageError: a version is compared with a profile.
    """
    sides = [side for side in (before, after) if side is not None]
    profiles = [side for side in sides if not side.isdecimal() and side != _NOW]
    if not profiles:
        return changes_between(_of_file(target, before), _of_file(target, after or _NOW))
    if len(profiles) != len(sides):
        raise UsageError("A version cannot be compared with a profile", fix="Give two versions, or two profiles")
    first, second = (sides[0], sides[1]) if len(sides) > 1 else ("default", sides[0])
    return changes_between(cast("Table", _table(held(first))), cast("Table", _table(held(second))))


def _of_file(target: Target, side: str | None) -> Table:
    versions = Versions(target.file)
    if side == _NOW:
        return masked(settings_in(target))
    if side is not None:
        return versions.get(int(side)).table()
    kept = [version.table() for version in versions.all() if version.is_whole]
    if not kept:
        raise ConfigurationNotFoundError(
            f"No version of {target.file} was recorded", fix="There is one after the next change"
        )
    if changes_between(masked(kept[-1]), masked(settings_in(target))):  # a change by hand that is not recorded
        return kept[-1]
    return kept[-2] if len(kept) > 1 else {}


def _table(value: object, name: str = "") -> object:
    """Settings as a settings file has them, but for what is not set, and with secrets masked."""
    if isinstance(value, BaseModel):
        fields = {field: getattr(value, field) for field in type(value).model_fields if name or field != "profile"}
        return {field: _table(inner, field) for field, inner in fields.items() if inner is not None}
    if isinstance(value, Mapping):
        return {entry: _table(inner, entry) for entry, inner in cast("Mapping[str, object]", value).items()}
    return shown(value, name)
