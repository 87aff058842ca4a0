"""From settings to experiments, and what a host has to do with them: nothing, where there are none."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from sentient_cli.clock import Clock, Ids
from sentient_cli.config.settings import Settings
from sentient_cli.errors import ConfigError, StoreError
from sentient_cli.runtime.run import Outcome, Run
from sentient_cli.store.open import Stores

if TYPE_CHECKING:
    from sentient_cli.config.experiments import ExperimentSettings, VariantSettings
    from sentient_cli.experiments.plan import Plan, Variant
    from sentient_cli.experiments.trials import Trials
    from sentient_cli.host.models import Models
    from sentient_cli.llm.manager import LLMManager
    from sentient_cli.llm.parameters import Parameters

__all__ = ["Experimenting", "plan_of", "plans_of"]

_logger = logging.getLogger(__name__)


class Experimenting:
    """The experiments of a host.

    Args:
        llm: Whose calls they change.
        stores: Where outcomes are kept; None: in memory.
        clock: What the time is.
        ids: Where names come from that nobody else has.
    """

    def __init__(self, llm: Models, stores: Stores | None, clock: Clock, ids: Ids) -> None:
        self._llm = llm
        self._stores = stores
        self._clock = clock
        self._ids = ids
        self._trials: Trials | None = None
        self._names: frozenset[str] | None = None

    def take(self, plans: Sequence[Plan], names: Collection[str] | None = None) -> None:
        """Have other experiments, for the runs that begin from now on.

        Args:
            plans: All of them.
            names: Those of the settings, whether or not they run; of others `prune` forgets what is known. None: it
                forgets nothing.
        """
        self._names = None if names is None else frozenset(names)
        if self._trials is None:
            if not plans or (llm := self._llm.get()) is None:
                return
            self._trials = self._make(llm)
        self._trials.take(plans)

    def _make(self, llm: LLMManager) -> Trials:
        from sentient_cli.experiments.trials import Trials  # noqa: PLC0415 - most hosts have none
        from sentient_cli.store.memory import MemoryStateStore  # noqa: PLC0415 - the same

        store = MemoryStateStore() if self._stores is None else self._stores.state
        trials = Trials(store, self._clock, self._ids.run_id())
        llm.listen(trials)
        return trials

    async def ready(self) -> None:
        """See where they stand, before a run begins."""
        if self._trials is not None:
            await self._trials.ready()

    def around(self, run: Run) -> AbstractContextManager[None]:
        """What a run is started in.

        Args:
            run: It has not begun.
        """
        return nullcontext() if self._trials is None else self._trials.around(run)

    def ending(self, run: Run, outcome: Outcome) -> None:
        """A run is about to end.

        Args:
            run: It takes its last entries.
            outcome: How it ends.
        """
        if self._trials is not None:
            self._trials.ending(run, outcome)

    async def prune(self, seconds: float) -> None:
        """Forget what is known of experiments that are in no settings any more.

        Args:
            seconds: How long ago something was last added to that.
        """
        if self._stores is None or self._names is None:
            return
        from sentient_cli.experiments.forgetting import forget_removed  # noqa: PLC0415 - not while a server starts

        try:
            gone = await forget_removed(self._stores.state, self._names, self._clock.now_ns() - int(seconds * 1e9))
        except StoreError as error:
            _logger.warning("What is known of removed experiments could not be forgotten: %s", error)
        else:
            for name in gone:
                _logger.info(
                    "The experiment %r is in no settings any more, and what was known of it is forgotten", name
                )

    async def aclose(self) -> None:
        """Keep what is not kept yet. May be called twice."""
        if self._trials is not None:
            await self._trials.aclose()


def plans_of(settings: Settings) -> Sequence[Plan]:
    """The experiments of settings that are enabled.

    Args:
        settings: All of them.

    Raises:
        ConfigError: a preset is not there, or two experiments that go on at the same time set the same.

    Example:
        >>> plans_of(Settings())
        []
    """
    enabled = {name: each for name, each in settings.experiments.items() if each.enabled}
    if not enabled:
        return []
    from sentient_cli.config.colliding import check_apart  # noqa: PLC0415 - most hosts have none
    from sentient_cli.llm.config.standing import presets_of  # noqa: PLC0415 - the same

    presets = presets_of(settings.llm)
    plans = [plan_of(name, enabled[name], presets) for name in sorted(enabled)]
    check_apart(settings)  # loaded from files, the settings have been looked at already
    return plans


def plan_of(name: str, settings: ExperimentSettings, presets: Mapping[str, Parameters]) -> Plan:
    """One experiment.

    Args:
        name: What it is called.
        settings: Its table.
        presets: All presets by name.

    Raises:
        ConfigError: a preset is not there, or a parameter cannot be sent.
    """
    from sentient_cli.experiments.guards import Guard  # noqa: PLC0415 - most hosts have none
    from sentient_cli.experiments.plan import Plan  # noqa: PLC0415 - the same

    guard = settings.guard
    return Plan(
        name=name,
        variants={
            variant: _variant_of(f"experiments.{name}.variants.{variant}", table, presets)
            for variant, table in settings.variants.items()
        },
        control=settings.control,
        by=settings.by,
        share=settings.share,
        guard=Guard(
            max_error_rate=guard.max_error_rate,
            max_cost=guard.max_cost,
            min_runs=guard.min_runs,
            evidence=guard.evidence,
        ),
        rolls_back=guard.on_breach == "rollback",
        starts=_ns(settings.starts),
        ends=_ns(settings.ends),
    )


def _variant_of(key: str, table: VariantSettings, presets: Mapping[str, Parameters]) -> Variant:
    from sentient_cli.config.keys import nearest  # noqa: PLC0415 - most hosts have none
    from sentient_cli.experiments.plan import Variant  # noqa: PLC0415 - the same
    from sentient_cli.llm.config.standing import parameters_of  # noqa: PLC0415 - the same
    from sentient_cli.llm.defaults import NOTHING, under  # noqa: PLC0415 - the same

    if table.preset is not None and table.preset not in presets:
        near = nearest(table.preset, [*presets])
        raise ConfigError(
            f"There is no preset {table.preset!r:.60}",
            why=f"It is named by `{key}.preset`",
            fix=f"Did you mean {near!r}?" if near else f"Use {', '.join(presets)}",
        )
    preset = NOTHING if table.preset is None else presets[table.preset]
    return Variant(weight=table.weight, model=table.model, parameters=under(preset, parameters_of(table.parameters)))


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1e9)
