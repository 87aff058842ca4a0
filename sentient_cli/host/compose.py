"""From settings to a host: the parts that a server, a worker and a command share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sentient_cli.clock import Clock, Ids, SystemClock, SystemIds
from sentient_cli.config.environ import process_environment
from sentient_cli.config.settings import LlmSettings, Settings
from sentient_cli.host.experiments import plans_of
from sentient_cli.host.hooks import RunHook
from sentient_cli.host.host import Host
from sentient_cli.host.limits import HostLimits
from sentient_cli.host.models import Models
from sentient_cli.host.retention import KeepLimits
from sentient_cli.runtime.agent import AgentLike
from sentient_cli.runtime.run import RunLimits
from sentient_cli.secret_sources import register_later
from sentient_cli.store.open import Stores, open_stores

if TYPE_CHECKING:
    from sentient_cli.host.observing import Observing
    from sentient_cli.llm.manager import LLMManager

__all__ = ["build_host", "host_limits"]


def host_limits(settings: Settings, *, show_errors: bool = False, cancel_grace: float = 2.0) -> HostLimits:
    """The bounds of a host.

    Args:
        settings: All of them.
        show_errors: Whether clients are told an exception's text; for development only.
        cancel_grace: Seconds that a cancelled agent has to clean up before its run ends without it.
    """
    server, store = settings.server, settings.store
    return HostLimits(
        run=RunLimits(deadline=server.run_timeout, cancel_grace=cancel_grace, show_errors=show_errors),
        keep=KeepLimits(server.keep_runs, server.keep_seconds, server.keep_bytes),
        stored=KeepLimits(store.keep_runs, store.keep_seconds, store.keep_bytes),
        sessions=KeepLimits(server.keep_sessions, server.keep_session_seconds, server.keep_session_bytes),
        runs=server.max_runs,
    )


def build_host(
    agent: AgentLike,
    settings: Settings,
    *,
    hooks: Sequence[RunHook] = (),
    clock: Clock | None = None,
    ids: Ids | None = None,
    stores: Stores | None = None,
    facts: Mapping[str, object] | None = None,
    limits: HostLimits | None = None,
    project: Path | None = None,
) -> Host:
    """A host for an agent.

    Args:
        agent: Answers.
        settings: All of them.
        hooks: See every entry.
        clock: What the time is, where somebody else needs the same.
        ids: Where ids come from, where it is not the process alone that decides.
        stores: Where runs are kept, in the place of what the settings say.
        facts: More for the first entry of each run.
        limits: Bounds, in the place of what the settings say.
        project: The directory of the project, which may be bound to a profile of credentials.

    Raises:
        ConfigError: a setting leads nowhere.
    """
    clock = clock or SystemClock()
    ids = ids or SystemIds(clock)
    observed = _observing(settings, clock)
    plans = plans_of(settings)
    host = Host(
        agent,
        llm=_models(settings, clock, ids, observed, project),
        stores=stores or open_stores(settings.store.url),
        hooks=hooks,
        clock=clock,
        ids=ids,
        limits=limits or host_limits(settings),
        session_memory=settings.server.session_memory,
        facts=facts,
        observing=observed,
    )
    host.experimenting.take(plans, settings.experiment_names)
    return host


def _observing(settings: Settings, clock: Clock) -> Observing | None:
    if not (settings.metrics.enabled or settings.telemetry.enabled):
        return None
    from sentient_cli.host.observing import observing  # noqa: PLC0415 - only where it is wanted

    return observing(settings, clock)


def _models(settings: Settings, clock: Clock, ids: Ids, observed: Observing | None, project: Path | None) -> Models:
    def make() -> LLMManager:
        from sentient_cli.host.key_stores import stored_keys  # noqa: PLC0415 - only agents that ask models need it
        from sentient_cli.host.llm import build_llm  # noqa: PLC0415 - the same

        keys = stored_keys(settings, project=project)
        seeing = () if observed is None else observed.hooks
        llm = build_llm(settings.llm, clock, ids, profile=settings.profile, hooks=seeing, stores=keys)
        if observed is not None:
            observed.watch(llm)
        return llm

    # What is set may be wrong, which whoever starts a server learns at once; what is shipped is right.
    as_shipped = settings.llm is LlmSettings.defaults() and observed is None
    if not as_shipped:
        return Models(make())
    register_later(process_environment)  # a key is a secret before the first call as well
    return Models(make=make)
