"""Presets as they are listed: what each comes to, and where it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.config.keys import nearest
from sentient_cli.config.presets import BUILT_IN, preset_values
from sentient_cli.config.values import LAYERS, Source, Value
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError

if TYPE_CHECKING:
    from sentient_cli.config.loading import Loaded

__all__ = ["PresetCard", "Use", "preset_card", "preset_cards", "preset_parameters"]

_CHOICE: Final = "llm.preset"
_OWN: Final = "llm.presets."
_PARAMETERS: Final = "llm.parameters."


class Use(msgspec.Struct, frozen=True):
    """A place that names a preset.

    Args:
        by: What names it.
        where: The place, a file with line and column or a variable; empty: none is known.
    """

    by: str
    where: str = ""


class PresetCard(msgspec.Struct, frozen=True, kw_only=True):
    """A preset.

    Args:
        name: What it is called.
        what: What it is for; empty where it is a user's own.
        is_own: Whether it stands in a settings file.
        base: The preset that it begins with.
        is_chosen: Whether it holds now.
        values: Its parameters, those of its base among them, each with its place.
        uses: Who names it.
    """

    name: str
    what: str
    is_own: bool
    base: str | None
    is_chosen: bool
    values: Mapping[str, Value]
    uses: tuple[Use, ...]


def preset_cards(loaded: Loaded) -> list[PresetCard]:
    """All presets, ours first, unless one of the user's own has its name.

    Args:
        loaded: The settings.

    Example:
        >>> from sentient_cli.config import load
        >>> cards = preset_cards(load(environment={"SENTIENT_LLM_PRESET": "code"}, use_env_file=False))
        >>> [(card.name, card.uses[0].where) for card in cards if card.is_chosen]
        [('code', 'SENTIENT_LLM_PRESET')]
    """
    own = _own(loaded)
    uses = list(_uses(loaded, own))
    chosen = loaded.settings.llm.preset
    cards: list[PresetCard] = []
    for name in dict.fromkeys((*BUILT_IN, *own)):
        base = own[name].get("base") if name in own else None
        cards.append(
            PresetCard(
                name=name,
                what="" if name in own else BUILT_IN[name].what,
                is_own=name in own,
                base=str(base.raw) if base is not None else None,
                is_chosen=name == chosen,
                values=preset_parameters(loaded, name),
                uses=tuple(use for named, use in uses if named == name),
            )
        )
    return cards


def preset_card(loaded: Loaded, name: str) -> PresetCard:
    """One preset.

    Args:
        loaded: The settings.
        name: Its name.

    Raises:
        ConfigurationNotFoundError: there is none of that name.
    """
    cards = {card.name: card for card in preset_cards(loaded)}
    if name not in cards:
        near = nearest(name, list(cards))
        raise ConfigurationNotFoundError(
            f"There is no preset {name!r:.80}",
            fix=f"Did you mean {near!r}?" if near else f"Use {', '.join(cards)}; or write [llm.presets.NAME]",
        )
    return cards[name]


def _own(loaded: Loaded) -> dict[str, dict[str, Value]]:
    """The user's own presets, each with what stands in its table."""
    found: dict[str, dict[str, Value]] = {}
    for layer in LAYERS:
        for key, value in loaded.layers.get(layer, {}).items():
            if key.startswith(_OWN):
                name, _, field = key.removeprefix(_OWN).partition(".")
                found.setdefault(name, {})[field] = value
    return found


def preset_parameters(loaded: Loaded, name: str) -> dict[str, Value]:
    """The parameters of a preset by their names, those of its base among them, each with its place.

    Args:
        loaded: The settings.
        name: The preset.

    Raises:
        ConfigError: there is none of that name.
    """
    tables = {
        key: value for layer in LAYERS for key, value in loaded.layers.get(layer, {}).items() if key.startswith(_OWN)
    }
    named = Value(name, Source("preset"), Path())
    return {key.removeprefix(_PARAMETERS): value for key, value in preset_values({**tables, _CHOICE: named}).items()}


def _uses(loaded: Loaded, own: Mapping[str, Mapping[str, Value]]) -> Iterator[tuple[str, Use]]:
    """Each preset that something names, and what does."""
    for layer in reversed(LAYERS):
        value = loaded.layers.get(layer, {}).get(_CHOICE)
        if value is not None and layer != "profile":
            yield str(value.raw), Use(_CHOICE, str(value.source))
    yield from _uses_of_profiles(loaded)
    for name, table in own.items():
        if "base" in table:
            yield str(table["base"].raw), Use(f"the preset {name}", str(table["base"].source))
    for name, experiment in loaded.settings.experiments.items():
        for variant, settings in experiment.variants.items():
            if settings.preset is not None:
                yield settings.preset, Use(f"the variant {variant} of the experiment {name}")


def _uses_of_profiles(loaded: Loaded) -> Iterator[tuple[str, Use]]:
    for file in loaded.files:
        for profile in sorted(file.profiles(_pass)):
            value = file.profile_values(profile, _pass).get(_CHOICE)
            if value is not None:
                yield str(value.raw), Use(f"the profile {profile}", str(value.source))


def _pass(fault: ConfigError) -> None:
    """What is wrong in a profile that is not chosen is not for now."""
