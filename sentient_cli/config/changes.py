"""What is different between the settings of a moment ago and those of now: names alone, never values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from sentient_cli.config.keys import all_keys

if TYPE_CHECKING:
    from sentient_cli.config.loading import Loaded

__all__ = ["changed_keys", "changed_variables"]


def changed_keys(before: BaseModel, after: BaseModel) -> tuple[str, ...]:
    """The settings that have another value now, by their dotted names, in the order of the documentation.

    Args:
        before: Settings.
        after: Settings of the same type.

    Returns:
        The names. An entry of a table whose keys everyone chooses, such as a provider, is named as a whole when it is
        new or gone.

    Example:
        >>> from sentient_cli.config import Settings
        >>> after = Settings.model_validate({"server": {"port": 9000}, "llm": {"groups": {"fast": ["offline"]}}})
        >>> changed_keys(Settings(), after)
        ('server.port', 'llm.groups.fast')
    """
    return tuple(_differing(before, after, ()))


def changed_variables(before: Loaded, after: Loaded) -> tuple[str, ...]:
    """The variables that are no settings and have another value now, such as a provider's key in ``.env``.

    Args:
        before: Settings as they were loaded.
        after: The same later.
    """
    ours = {key.variable for key in all_keys().values()}
    old, new = before.environment, after.environment
    return tuple(sorted(name for name in (old.keys() | new.keys()) - ours if old.get(name) != new.get(name)))


def _differing(before: object, after: object, name: tuple[str, ...]) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, BaseModel) and type(before) is type(after):
        for field in type(before).model_fields:
            yield from _differing(getattr(before, field), getattr(after, field), (*name, field))
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        old, new = cast("Mapping[str, object]", before), cast("Mapping[str, object]", after)
        for key in {**old, **new}:
            if key in old and key in new:
                yield from _differing(old[key], new[key], (*name, key))
            else:
                yield ".".join((*name, key))
    else:
        yield ".".join(name)
