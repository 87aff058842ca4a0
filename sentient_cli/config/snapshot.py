"""Settings at one moment, ready to be read by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import cast

from pydantic import BaseModel
from typing_extensions import override

from sentient_cli.config.loading import Loaded
from sentient_cli.config.veiled import Veiled

__all__ = ["ConfigChange", "Snapshot", "snapshot"]


class Snapshot(Veiled, frozen=True):
    """Settings at one moment. It never changes, so that whoever reads two settings of it reads what belongs together.

    Args:
        number: Counts the snapshots of a manager, from 1.
        loaded: The settings and where each comes from.
        values: Every setting and every table of settings by its dotted name.

    Example:
        >>> from sentient_cli.config import load
        >>> Snapshot(1, load(environment={}), {"server.port": 9000}).values["server.port"]
        9000
    """

    number: int
    loaded: Loaded
    values: Mapping[str, object]

    @override
    def veiled(self) -> Mapping[str, object]:
        return {"number": self.number, "settings": self.loaded.settings}


class ConfigChange(Veiled, frozen=True):
    """One change of settings.

    Args:
        keys: The settings that have other values, by dotted name.
        before: The settings before.
        after: The settings since.

    Example:
        >>> from sentient_cli.config import ConfigurationManager
        >>> config = ConfigurationManager(environment={})
        >>> change = config.update({"server.port": 9000}, layer="flag")
        >>> change.keys, change.after.values["server.port"], change.concerns(("server",)), change.concerns(("llm",))
        (('server.port',), 9000, True, False)
    """

    keys: tuple[str, ...]
    before: Snapshot
    after: Snapshot

    def concerns(self, names: tuple[str, ...]) -> bool:
        """Whether one of these settings has changed, or one in one of these tables; with no names: whatever has.

        Args:
            names: Dotted names.
        """
        return not names or any(_is_within(key, name) for key in self.keys for name in names)


def _is_within(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.")


def snapshot(loaded: Loaded, number: int = 1) -> Snapshot:
    """Settings, ready to be read.

    Args:
        loaded: The settings.
        number: Its number.

    Example:
        >>> from sentient_cli.config import load
        >>> values = snapshot(load({"server.port": 9000}, environment={})).values
        >>> values["server.port"], values["server"].port
        (9000, 9000)
    """
    return Snapshot(number, loaded, MappingProxyType(dict(_flat(loaded.settings, ""))))


def _flat(value: object, prefix: str) -> Iterator[tuple[str, object]]:
    for name, inner in _items(value):
        yield prefix + name, inner
        yield from _flat(inner, f"{prefix}{name}.")


def _items(value: object) -> list[tuple[str, object]]:
    if isinstance(value, BaseModel):
        return [(name, getattr(value, name)) for name in type(value).model_fields]
    return list(cast("Mapping[str, object]", value).items()) if isinstance(value, Mapping) else []
