"""Metrics and spans of the calls that a host's runs make, where settings want them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from sentient_cli.clock import Clock
from sentient_cli.config.settings import Settings
from sentient_cli.llm.hooks import CallHook
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.usage.hook import UsageHook, UsageSink

if TYPE_CHECKING:
    from sentient_cli.llm.wire.pool import PoolFacts
    from sentient_cli.ops.call_metrics import CallMetrics
    from sentient_cli.ops.telemetry import Telemetry

__all__ = ["Observing", "observing"]


class Observing:
    """What sees the calls of one process.

    Args:
        metrics: Counts them; None: nobody does.
        telemetry: Sends spans of them; None: nobody does.
        profile: The profile of settings that is in use.
        clock: What the time is.
    """

    def __init__(self, metrics: CallMetrics | None, telemetry: Telemetry | None, profile: str, clock: Clock) -> None:
        self._metrics = metrics
        self._telemetry = telemetry
        sinks: list[UsageSink] = [] if metrics is None else [metrics]
        if telemetry is not None:
            sinks.append(telemetry.spans)
        self._hooks = (UsageHook(*sinks, profile=profile, clock=clock),)
        self._manager: LLMManager | None = None

    @property
    def hooks(self) -> Sequence[CallHook]:
        """For the manager whose calls they are."""
        return self._hooks

    @property
    def metrics_text(self) -> Callable[[], str] | None:
        """Gives all metrics in the format of Prometheus; None: nobody counts."""
        return None if self._metrics is None else self._metrics.text

    def watch(self, manager: LLMManager) -> None:
        """See the breakers and the connections of a manager too, in the place of those that were seen before.

        Args:
            manager: The one that has the `hooks`.
        """
        if self._metrics is None:
            return
        if self._manager is None:
            self._metrics.watch_pools(self._pools)
        self._manager = manager
        self._metrics.forget_breakers()
        manager.breakers.listen(self._metrics.breaker)

    def _pools(self) -> Iterator[tuple[str, PoolFacts]]:
        for provider in () if self._manager is None else self._manager.providers:
            facts: object = getattr(provider, "pool", None)
            if facts is not None:
                yield provider.provider_id, cast("PoolFacts", facts)

    async def aclose(self) -> None:
        """Send what is not sent yet. May be called twice."""
        if self._telemetry is not None:
            await self._telemetry.aclose()


def observing(settings: Settings, clock: Clock) -> Observing | None:
    """What settings want to see of calls; None: nothing.

    Args:
        settings: All of them.
        clock: What the time is.

    Raises:
        ConfigError: what is wanted needs a library that is not installed.

    Example:
        >>> from sentient_cli.clock import SystemClock
        >>> observing(Settings(), SystemClock()) is None
        True
    """
    if not (settings.metrics.enabled or settings.telemetry.enabled):
        return None
    metrics = telemetry = None
    if settings.metrics.enabled:
        from sentient_cli.ops.call_metrics import CallMetrics  # noqa: PLC0415 - only where it is wanted

        metrics = CallMetrics()
    if settings.telemetry.enabled:
        from sentient_cli.ops.telemetry import Telemetry  # noqa: PLC0415 - the same

        telemetry = Telemetry(settings.telemetry.endpoint, settings.telemetry.service)
    return Observing(metrics, telemetry, settings.profile, clock)
