"""Presets: parameters of models under a name, ours and the user's own, as a layer of the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

import msgspec

from sentient_cli.config.entries import ENTRY, bad_entry
from sentient_cli.config.keys import nearest
from sentient_cli.config.values import Source, Value
from sentient_cli.errors import ConfigError

__all__ = ["BUILT_IN", "Preset", "chain_of", "preset_values"]

_OWN: Final = "llm.presets."
_TARGET: Final = "llm.parameters."
_BASE: Final = "base"
_TABLES: Final = ("metadata", "extra")
_EXPERIMENT: Final = "experiments."
_VARIANTS: Final = ".variants"
_DEEPEST: Final = 50


class Preset(msgspec.Struct, frozen=True):
    """A preset that comes with this package.

    Args:
        name: What it is called.
        what: What it is for.
        values: Its parameters.

    Example:
        >>> BUILT_IN["precise"].values["temperature"]
        0.0
    """

    name: str
    what: str
    values: Mapping[str, float | str]


BUILT_IN: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset("precise", "Facts, extraction, classification.", {"temperature": 0.0}),
            Preset("balanced", "Conversation.", {"temperature": 0.7}),
            Preset("creative", "Stories, names, ideas.", {"temperature": 1.0, "presence_penalty": 0.3}),
            Preset("code", "Programs, thought through.", {"temperature": 0.2, "effort": "high"}),
            Preset("fast", "Short answers at once, without thinking.", {"effort": "none", "max_tokens": 1024}),
        )
    }
)
"""By name. A preset of the user's with such a name takes its place."""


def preset_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """What the chosen preset gives, as a layer. All presets are looked at, and all that experiments name.

    Args:
        values: The other layers, laid over one another, by dotted names.

    Raises:
        ConfigError: a preset is not there, or two are each the base of the other, or one has too many below it.

    Example:
        >>> chosen = Value("precise", Source("user", "config.toml:1"), Path())
        >>> {name: value.raw for name, value in preset_values({"llm.preset": chosen}).items()}
        {'llm.parameters.temperature': 0.0}
    """
    own = _own(values)
    bases = {name: _base(table) for name, table in own.items()}
    where = {name: table[_BASE].source for name, table in own.items() if _BASE in table}
    for name in own:
        _check_entries(name, own[name])
        chain_of(name, bases, where)
    for name, source in _of_variants(values):
        chain_of(name, bases, where, source)
    chosen = values.get("llm.preset")
    if chosen is None or not isinstance(chosen.raw, str) or not chosen.raw:
        return {}  # the check of types says what is wrong with it
    found: dict[str, Value] = {}
    for name, is_own in chain_of(chosen.raw, bases, where, chosen.source):
        found |= _of_own(name, own[name]) if is_own else _of_ours(name)
    return found


def _own(values: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """The user's presets: for each the values that it has itself."""
    found: dict[str, dict[str, Value]] = {}
    for key, value in values.items():
        if key.startswith(_OWN):
            name, _, field = key.removeprefix(_OWN).partition(".")
            found.setdefault(name, {})[field] = value
    return found


def _check_entries(name: str, table: Mapping[str, Value]) -> None:
    """See that what a preset has in a table can be laid under what `[llm.parameters]` has in it."""
    for field in _TABLES:
        value = table.get(field)
        if value is None or not isinstance(value.raw, dict):
            continue
        for entry in cast("dict[str, object]", value.raw):
            if not ENTRY.fullmatch(entry):
                raise bad_entry(value.place((entry,)), f"{_OWN}{name}.{field}.{entry}")


def _of_variants(values: Mapping[str, Value]) -> Iterator[tuple[str, Source]]:
    """The presets that variants of experiments name, and where."""
    for key, value in values.items():
        if not (key.startswith(_EXPERIMENT) and key.endswith(_VARIANTS) and isinstance(value.raw, dict)):
            continue
        for variant, table in cast("dict[str, object]", value.raw).items():
            preset = cast("dict[str, object]", table).get("preset") if isinstance(table, dict) else None
            if isinstance(preset, str):
                yield preset, Source(value.source.layer, value.place((variant, "preset")))


def _base(table: Mapping[str, Value]) -> str | None:
    raw = table[_BASE].raw if _BASE in table else None
    return raw if isinstance(raw, str) else None  # the check of types says what is wrong with it


def chain_of(
    name: str,
    bases: Mapping[str, str | None],
    where: Mapping[str, Source] = MappingProxyType({}),
    source: Source | None = None,
) -> Sequence[tuple[str, bool]]:
    """A preset and those that it begins with, the last of these first; and whether each is the user's own.

    Args:
        name: The preset.
        bases: The user's presets, and what each begins with.
        where: Where they say so.
        source: Where the preset is named.

    Raises:
        ConfigError: one is not there, or they are each the base of the other, or there are too many.

    Example:
        >>> chain_of("mine", {"mine": "precise"})
        [('precise', False), ('mine', True)]
    """
    chain: list[tuple[str, bool]] = []
    wanted: str | None = name
    while wanted is not None:
        # A preset of the user's may have the name of one of ours, and begin with it.
        is_own = wanted in bases and not (wanted in BUILT_IN and chain[-1:] == [(wanted, True)])
        if (wanted, is_own) in chain:
            raise _cycle([*(each for each, _ in chain), wanted], source)
        if not is_own and wanted not in BUILT_IN:
            raise _missing(wanted, bases, source)
        if len(chain) == _DEEPEST:
            raise _too_deep(name, where.get(name, source))
        chain.append((wanted, is_own))
        wanted, source = (bases[wanted], where.get(wanted)) if is_own else (None, None)
    return chain[::-1]


def _of_ours(name: str) -> dict[str, Value]:
    source = Source("preset", f"preset {name}")
    return {_TARGET + field: Value(raw, source, Path()) for field, raw in BUILT_IN[name].values.items()}


def _of_own(name: str, table: Mapping[str, Value]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for field, value in table.items():
        if field == _BASE:
            continue
        source = Source("preset", f"preset {name}, {value.source}")
        if field in _TABLES and isinstance(value.raw, dict):
            for entry, raw in cast("dict[str, object]", value.raw).items():
                found[f"{_TARGET}{field}.{entry}"] = Value(raw, source, value.directory)
        else:
            found[_TARGET + field] = Value(value.raw, source, value.directory)
    return found


def _cycle(names: Sequence[str], source: Source | None) -> ConfigError:
    way = " -> ".join(names[names.index(names[-1]) :])
    return ConfigError(
        f"The presets are each the base of the other: {way}",
        why=f"A base is named by {source}" if source else "",
        fix=f"Take `base` out of one of [llm.presets.{names[-1]}] and those between",
        where=str(source) if source else "",
    )


def _too_deep(name: str, source: Source | None) -> ConfigError:
    return ConfigError(
        f"The preset {name!r:.60} has more than {_DEEPEST} others below it",
        why=f"Its base is named by {source}" if source else "",
        fix="Begin with fewer",
        where=str(source) if source else "",
    )


def _missing(name: str, own: Mapping[str, object], source: Source | None) -> ConfigError:
    known = [*own, *(each for each in BUILT_IN if each not in own)]
    near = nearest(name, known)
    return ConfigError(
        f"There is no preset {name!r:.60}",
        why=f"It is named by {source}" if source else "",
        fix=f"Did you mean {near!r}?" if near else f"Use {', '.join(known)}; or write [llm.presets.{name:.60}]",
        where=str(source) if source else "",
    )
