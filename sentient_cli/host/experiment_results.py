"""The results of experiments for somebody who asks, and changes that a person makes: over the store of a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from sentient_cli.clock import Clock
from sentient_cli.config.settings import Settings
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError, UsageError
from sentient_cli.experiments.book import read_outcomes
from sentient_cli.experiments.guards import Tally, tallied
from sentient_cli.experiments.plan import Plan
from sentient_cli.experiments.results import Results, results_of
from sentient_cli.experiments.standing import (
    Change,
    Standing,
    change_standing,
    read_standing,
    resumed,
    rolled_back,
    stopped,
)
from sentient_cli.host.experiments import plan_of
from sentient_cli.llm.config.standing import presets_of
from sentient_cli.store.open import STATE_FILE, open_stores
from sentient_cli.store.ports import StateStore

__all__ = ["experiment_history", "experiment_results", "resume_experiment", "stop_experiment"]


async def experiment_results(settings: Settings, clock: Clock, name: str | None = None) -> Sequence[Results]:
    """What experiments found so far.

    Args:
        settings: All of them, with the store of the server whose experiments they are.
        clock: What the time is.
        name: Which experiment; None: all of them.

    Raises:
        ConfigurationNotFoundError: there is no such experiment.
        ConfigError: an experiment is wrong.
        StoreError: the store cannot be read.
    """
    plans = [_plan(settings, name)] if name is not None else [_plan(settings, each) for each in settings.experiments]
    async with _opened(settings) as store:
        return [await _results(settings, store, plan, clock.now_ns()) for plan in plans]


async def experiment_history(settings: Settings, name: str) -> Sequence[Change]:
    """What was done to an experiment, the oldest first.

    Args:
        settings: As for `experiment_results`.
        name: Which experiment.

    Raises:
        StoreError: the store cannot be read.
    """
    async with _opened(settings) as store:
        return () if store is None else (await read_standing(store, name))[0].history


async def stop_experiment(settings: Settings, name: str, change: Change) -> bool:
    """Stop an experiment, or one variant of it. A server that runs sees it within a second or two.

    Args:
        settings: As for `experiment_results`.
        name: Which experiment.
        change: What is done, by whom and why.

    Returns:
        Whether that changed anything.

    Raises:
        ConfigurationNotFoundError: there is no such experiment, or no such variant.
        UsageError: it is the control, which takes the traffic of the others.
        ConfigError: the store is in the memory of the server.
        StoreError: the store cannot be read or kept.
    """
    plan = _changeable(settings, name, change)
    if change.variant == plan.control:
        raise UsageError(
            f"The variant {change.variant!r} is the control, and takes the traffic of those that are stopped",
            fix="Stop another variant, or the whole experiment without --variant",
        )
    apply = partial(_stopped, change)
    async with _opened(settings, create=True) as store:
        return store is not None and (await change_standing(store, name, plan.revision, apply)).is_ours


async def resume_experiment(settings: Settings, name: str, change: Change) -> bool:
    """Let an experiment go on, or one variant of it: its guard counts only what happens from then on.

    Args:
        settings: As for `experiment_results`.
        name: Which experiment.
        change: What is done, by whom and why.

    Returns:
        Whether that changed anything.

    Raises:
        ConfigurationNotFoundError: there is no such experiment, or no such variant.
        ConfigError: the store is in the memory of the server.
        StoreError: the store cannot be read or kept.
    """
    plan = _changeable(settings, name, change)
    async with _opened(settings, create=True) as store:
        if store is None:
            return False
        outcomes = await read_outcomes(store, name)
        before = {variant: tallied(outcomes, plan.revision, variant) for variant in plan.variants}
        apply = partial(_resumed, change, before)
        return (await change_standing(store, name, plan.revision, apply)).is_ours


def _stopped(change: Change, standing: Standing) -> Standing:
    return stopped(standing, change) if change.variant else rolled_back(standing, change)


def _resumed(change: Change, before: dict[str, Tally], standing: Standing) -> Standing:
    return resumed(standing, change, before)


def _changeable(settings: Settings, name: str, change: Change) -> Plan:
    plan = _plan(settings, name)
    if change.variant and change.variant not in plan.variants:
        raise ConfigurationNotFoundError(
            f"The experiment {name!r} has no variant {change.variant!r:.80}", fix=f"Use {', '.join(plan.variants)}"
        )
    if settings.store.url == "memory":
        raise ConfigError(
            "Where experiments stand is in the memory of the server, where no command can change it",
            why="The setting `store.url` is `memory`",
            fix="Set `store.url`, or take the experiment out of the settings, which a server notices",
        )
    return plan


def _plan(settings: Settings, name: str) -> Plan:
    table = settings.experiments.get(name)
    if table is None:
        known = ", ".join(settings.experiments)
        raise ConfigurationNotFoundError(
            f"There is no experiment {name!r:.80}",
            fix=f"Use {known}" if known else "Write [experiments.NAME] into the project's settings file",
        )
    return plan_of(name, table, presets_of(settings.llm))


async def _results(settings: Settings, store: StateStore | None, plan: Plan, now: int) -> Results:
    table = settings.experiments[plan.name]
    outcomes = [] if store is None else await read_outcomes(store, plan.name)
    return results_of(
        plan,
        outcomes,
        standing=None if store is None else (await read_standing(store, plan.name))[0],
        enabled=table.enabled,
        metric=table.metric,
        confidence=table.confidence,
        horizon=table.horizon,
        now=now,
    )


@asynccontextmanager
async def _opened(settings: Settings, *, create: bool = False) -> AsyncGenerator[StateStore | None]:
    """The state store; None: there is none yet. To look makes none."""
    scheme, _, rest = settings.store.url.partition(":")
    place = Path(rest) if scheme == "sqlite" else Path(rest) / STATE_FILE
    if scheme == "memory" or not (create or place.exists()):
        yield None
        return
    stores = open_stores(settings.store.url)
    try:
        await stores.ready()
        yield stores.state
    finally:
        await stores.aclose()
