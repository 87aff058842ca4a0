"""Experiments that would spoil each other: two that set the same thing while both go on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sentient_cli.config.presets import BUILT_IN, chain_of
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from sentient_cli.config.experiments import ExperimentSettings, VariantSettings
    from sentient_cli.config.settings import Settings
    from sentient_cli.config.values import Value

__all__ = ["check_apart", "variant_places"]

_EXPERIMENTS: Final = "experiments."
_VARIANTS: Final = ".variants"


def variant_places(values: Mapping[str, Value]) -> dict[str, str]:
    """Where the variants of each experiment stand, with line and column.

    Args:
        values: What holds, by dotted name.
    """
    return {
        key.removeprefix(_EXPERIMENTS).removesuffix(_VARIANTS): str(value.source)
        for key, value in values.items()
        if key.startswith(_EXPERIMENTS) and key.endswith(_VARIANTS)
    }


def check_apart(settings: Settings, places: Mapping[str, str] = MappingProxyType({})) -> None:
    """See that no two experiments which go on at the same time set the same thing.

    Args:
        settings: All of them.
        places: Where experiments stand, by their names, for who reads what is wrong with them.

    Raises:
        ConfigError: two do.

    Example:
        >>> from sentient_cli.config import Settings
        >>> variants = {"control": {}, "warm": {"parameters": {"temperature": 0.9}}}
        >>> check_apart(Settings.model_validate({"experiments": {"tone": {"variants": variants}}}))
    """
    enabled = [(name, each) for name, each in sorted(settings.experiments.items()) if each.enabled]
    for (one, first), (other, second) in combinations(enabled, 2):
        if not _meet(first, second):
            continue
        shared = sorted(_fields(settings, first) & _fields(settings, second))
        if shared:
            raise _collision(one, other, shared, places.get(other, ""))


def _meet(one: ExperimentSettings, other: ExperimentSettings) -> bool:
    """Whether there is a moment at which both go on."""
    begin = max(each.starts or datetime.min.replace(tzinfo=UTC) for each in (one, other))
    return all(each.ends is None or begin < each.ends for each in (one, other))


def _fields(settings: Settings, experiment: ExperimentSettings) -> frozenset[str]:
    return frozenset[str]().union(*(_set_by(settings, variant) for variant in experiment.variants.values()))


def _set_by(settings: Settings, variant: VariantSettings) -> set[str]:
    """What a variant sets: the model, and parameters by name, those of its preset among them."""
    own = settings.llm.presets
    found = {"model"} if variant.model is not None else set[str]()
    tables = [variant.parameters]
    if variant.preset is not None:
        for name, is_own in chain_of(variant.preset, {name: preset.base for name, preset in own.items()}):
            if is_own:
                tables.append(own[name])
            else:
                found |= BUILT_IN[name].values.keys()
    return found.union(*(table.model_dump(exclude_defaults=True, exclude={"base"}) for table in tables))


def _collision(one: str, other: str, shared: list[str], where: str) -> ConfigError:
    return ConfigError(
        f"The experiments {one!r} and {other!r} both set {', '.join(shared)}",
        why="What the one finds would be the other's doing" + (f". It stands in {where}" if where else ""),
        fix="Make one experiment of them, run one after the other with `starts` and `ends`, or disable one",
        where=where,
    )
