"""All settings one after another, in the order and the tables of a settings file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from typing_extensions import override

from sentient_cli.config.described import Setting, describe
from sentient_cli.config.explain import explain, unknown_setting, value_of
from sentient_cli.config.keys import all_keys, tables
from sentient_cli.config.shown import shown
from sentient_cli.config.values import LAYERS, Source
from sentient_cli.config.veiled import Veiled

if TYPE_CHECKING:
    from sentient_cli.config.loading import Loaded

__all__ = ["Held", "listed", "within"]


class Held(Veiled, frozen=True, kw_only=True):
    """A setting and what holds for it.

    Args:
        setting: What it is.
        value: What holds.
        source: Where that comes from.
    """

    setting: Setting
    value: object
    source: Source

    @override
    def veiled(self) -> Mapping[str, object]:
        return {**super().veiled(), "value": shown(self.value, self.setting.name)}

    @property
    def is_default(self) -> bool:
        """Whether nothing gives it."""
        return self.source.layer == "default"


def listed(loaded: Loaded) -> Iterator[Held]:
    """Every setting in the order of their tables, and those of entries of tables whose keys everyone chooses.

    Example:
        >>> from sentient_cli.config import load
        >>> held = listed(load({"server.port": 9000}, environment={}, use_env_file=False))
        >>> [(each.setting.name, each.value) for each in held if not each.is_default]
        [('server.port', 9000)]
    """
    sources = {
        key: value.source for layer in LAYERS for key, value in loaded.layers.get(layer, {}).items()
    }  # a later layer wins here too
    order = {each: place for place, each in enumerate(dict.fromkeys(name.rpartition(".")[0] for name in all_keys()))}
    entries = sorted((name for name in sources if name not in all_keys()), key=_within_table)
    for name in sorted([*all_keys(), *entries], key=lambda name: _place(name.rpartition(".")[0], order)):
        setting = describe(name)
        if setting is not None:
            source = sources.get(name, Source("default"))
            yield Held(setting=setting, value=value_of(loaded.settings, name), source=source)


def _place(table: str, order: Mapping[str, int]) -> tuple[int, str]:
    """Where a table stands: the known ones in their order, one of an entry behind that which it is in."""
    parts = table.split(".")
    ways = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    known = next((way for way in ways if way in order), None)
    return (len(order), table) if known is None else (order[known], table.removeprefix(known))


def _within_table(name: str) -> tuple[str, int, str]:
    """Where an entry's setting stands in its table: in the order in which its settings are described."""
    parent, _, field = name.rpartition(".")
    table = describe(parent)
    fields = table.fields if table is not None else ()
    return parent, fields.index(field) if field in fields else 0, field


def within(loaded: Loaded, name: str) -> Iterator[Held]:
    """The settings of a table, or of an entry; of a setting, that alone.

    Args:
        loaded: The settings.
        name: A dotted name.

    Raises:
        ConfigurationNotFoundError: there is no such setting and no such table.

    Example:
        >>> from sentient_cli.config import load
        >>> loaded = load(environment={}, use_env_file=False)
        >>> [each.setting.name for each in within(loaded, "llm.sharing")]
        ['llm.sharing.enabled']
    """
    setting = describe(name)
    if setting is None and name not in tables():
        raise unknown_setting(loaded, name)
    found = [each for each in listed(loaded) if each.setting.name == name or each.setting.name.startswith(f"{name}.")]
    if not found and setting is not None and not setting.fields:
        explained = explain(loaded, name)  # it stands within a value
        found = [Held(setting=setting, value=explained.value, source=explained.source)]
    yield from found
