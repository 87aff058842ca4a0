"""What settings come to that are each right: models of unknown providers, parameters that a model does not take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from sentient_cli.config.keys import nearest
from sentient_cli.config.validation import Fault
from sentient_cli.config.values import LAYERS, Source
from sentient_cli.errors import ConfigError, SentientError
from sentient_cli.llm.config import ModelConflict, conflicts_of
from sentient_cli.llm.config.models import named_models
from sentient_cli.llm.config.standing import standing
from sentient_cli.llm.defaults import under
from sentient_cli.llm.providers.factory import is_known, kind_of, unknown_provider
from sentient_cli.llm.providers.kinds import KINDS

if TYPE_CHECKING:
    from sentient_cli.config.loading import Loaded

__all__ = ["doubts"]


def doubts(loaded: Loaded, others: Mapping[str, Loaded] | None = None) -> Iterator[Fault]:
    """What is doubtful about settings of models, and what only a server would find.

    Args:
        loaded: The settings.
        others: The same with each profile that is not chosen.

    Example:
        >>> from sentient_cli.config import load
        >>> loaded = load({"llm.model": "opnai:gpt-4.1"}, environment={}, use_env_file=False)
        >>> [(fault.what, fault.fix) for fault in doubts(loaded)]
        [("No provider 'opnai' is known, so that the agent must bring it", "Did you mean 'openai'?")]
    """
    said: set[tuple[str, str]] = set()
    for profile, each in {"": loaded, **(others or {})}.items():
        for fault in _all(each):
            if (fault.what, fault.where) not in said:
                said.add((fault.what, fault.where))
                told = f"With the profile {profile}, {fault.what}" if profile else fault.what
                yield msgspec.structs.replace(fault, what=told)


def _all(loaded: Loaded) -> Iterator[Fault]:
    for part in (_providers, _conflicts, _experiments):
        try:
            yield from part(loaded)
        except SentientError as error:
            where = error.where if isinstance(error, ConfigError) else ""
            yield Fault(level="error", what=error.what, why=error.why, fix=error.fix, where=where)


def _providers(loaded: Loaded) -> Iterator[Fault]:
    settings = loaded.settings.llm
    for name, table in settings.providers.items():
        if not is_known(kind_of(name, table)):
            error = unknown_provider(name, kind_of(name, table))
            source = next(filter(None, (_source(loaded, f"llm.providers.{name}{end}") for end in (".kind", ""))), None)
            where = "" if source is None else str(source)
            yield Fault(level="error", what=error.what, why=error.why, fix=error.fix, where=where)
    for model in named_models(settings):
        provider = model.partition(":")[0]
        if provider not in settings.providers and not is_known(provider):
            near = nearest(provider, [*KINDS, *settings.providers])
            key = "llm.model" if model == settings.model else "llm.fallback"
            yield Fault(
                level="warning",
                what=f"No provider {provider!r:.60} is known, so that the agent must bring it",
                fix=f"Did you mean {near!r}?" if near else "",
                where=loaded.sources[key].where,
            )


def _source(loaded: Loaded, start: str) -> Source | None:
    """Where the first setting of this name or in this table stands."""
    return next(
        (
            value.source
            for layer in reversed(LAYERS)
            for name, value in loaded.layers.get(layer, {}).items()
            if name == start or name.startswith(f"{start}.")
        ),
        None,
    )


def _conflicts(loaded: Loaded) -> Iterator[Fault]:
    for each in conflicts_of(loaded.settings.llm):
        source = loaded.sources.get(f"llm.parameters.{each.conflict.parameter}")
        yield _warning(each, where=source.where if source is not None else "")


def _experiments(loaded: Loaded) -> Iterator[Fault]:
    """What the models of variants do not take of what these set."""
    if not loaded.settings.experiments:
        return
    from sentient_cli.host.experiments import plans_of

    llm = loaded.settings.llm
    standing_ones = standing(llm)
    plain = conflicts_of(llm)
    for plan in plans_of(loaded.settings):
        for name, variant in plan.variants.items():
            asked = llm.model_copy(update={"model": variant.model}) if variant.model else llm
            source = _source(loaded, f"experiments.{plan.name}.variants")
            for each in conflicts_of(asked, under(standing_ones, variant.parameters)):
                if each not in plain:
                    of = f"the variant {name} of {plan.name}: "
                    yield _warning(each, where="" if source is None else str(source), of=of)


def _warning(found: ModelConflict, *, where: str, of: str = "") -> Fault:
    conflict = found.conflict
    return Fault(
        level="warning",
        what=f"{of}{found.model}: {conflict}",
        why=f"See {conflict.source}" if conflict.source else "",
        fix="; or: ".join(alternative.rstrip(".") for alternative in conflict.alternatives),
        where=where,
    )
