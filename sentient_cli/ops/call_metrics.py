"""Metrics of the calls of models, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from sentient_cli.llm.usage.rows import UsageRow
from sentient_cli.ops.extras import missing_extra

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

    from sentient_cli.llm.resilience.breaker import BreakerState
    from sentient_cli.llm.wire.transport import PoolFacts

__all__ = ["CallMetrics"]

_BUCKETS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STATES: Final[Mapping[str, int]] = {"closed": 0, "open": 1, "half_open": 2}
_WORSE: Final = (1, 2, 0)
"""The states of a breaker as numbers, the worst first."""


class CallMetrics:
    """Counts calls as they end. A `UsageHook` hands it the rows.

    Args:
        registry: Where the metrics are; a new one unless given.

    Raises:
        ConfigError: prometheus-client is not installed.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> from sentient_cli.llm.usage.hook import UsageHook
        >>> metrics = CallMetrics()
        >>> manager = LLMManager([OfflineProvider()], hooks=[UsageHook(metrics)])
        >>> _ = asyncio.run(manager.generate("Hello", model="offline:echo"))
        >>> 'llm_requests_total{model="echo",provider="offline",status="success"} 1.0' in metrics.text()
        True
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415 - an extra
        except ImportError:
            raise missing_extra("Metrics", "metrics") from None
        self.registry: CollectorRegistry = registry or CollectorRegistry()
        """What is to be shown."""
        by_model = ("provider", "model")
        inside = self.registry
        self._requests = Counter("llm_requests", "Calls of models that ended.", (*by_model, "status"), registry=inside)
        self._cancelled = Counter("llm_requests_cancelled", "Calls that nobody waited for.", by_model, registry=inside)
        self._failed = Counter(
            "llm_attempts_failed", "Attempts that came to nothing, by error.", (*by_model, "error"), registry=inside
        )
        self._seconds = Histogram(
            "llm_request_duration_seconds", "Seconds that a call took.", by_model, buckets=_BUCKETS, registry=inside
        )
        self._first = Histogram(
            "llm_first_token_seconds", "Seconds to the first piece.", by_model, buckets=_BUCKETS, registry=inside
        )
        self._tokens = Counter(
            "llm_tokens_consumed", "Tokens, as providers count them.", (*by_model, "type"), registry=inside
        )
        self._cost = Counter("llm_cost_incurred", "US dollars, where prices are known.", by_model, registry=inside)
        self._cached = Counter("llm_cached_answers", "Answers that were there already.", by_model, registry=inside)
        self._degraded = Counter("llm_degraded_answers", "Answers of a lesser kind.", by_model, registry=inside)
        self._breaker = Gauge(
            "llm_circuit_breaker_state", "0 closed, 1 open, 2 half-open; the worst.", ("provider",), registry=inside
        )
        self._breakers = Gauge(
            "llm_circuit_breaker_model_state", "0 closed, 1 open, 2 half-open.", by_model, registry=inside
        )
        self._states: dict[str, dict[str, int]] = {}

    def add(self, row: UsageRow) -> None:
        """Take what became of a call, or of one of its attempts."""
        labels = (row.provider, row.model)
        if row.error:
            self._failed.labels(*labels, row.error).inc()
        if not row.final:
            return
        if row.outcome == "cancelled":
            self._cancelled.labels(*labels).inc()
        else:
            self._requests.labels(*labels, "success" if row.outcome == "done" else "error").inc()
            self._seconds.labels(*labels).observe((row.total_ms or 0.0) / 1000)
        if row.first_ms is not None:
            self._first.labels(*labels).observe(row.first_ms / 1000)
        if not row.cached and row.model not in self._states.get(row.provider, {}):
            self.breaker(row.provider, row.model, "closed")  # nobody tells of one that has never opened
        self._count(labels, row)

    def _count(self, labels: tuple[str, str], row: UsageRow) -> None:
        if row.cached:
            self._cached.labels(*labels).inc()
            return  # its tokens were paid for by the call that it is an answer of
        tokens = row.tokens
        self._tokens.labels(*labels, "input").inc(tokens.prompt or 0)
        self._tokens.labels(*labels, "output").inc(tokens.output or 0)
        self._cost.labels(*labels).inc(row.cost or 0.0)
        if row.degraded:
            self._degraded.labels(*labels).inc()

    def breaker(self, provider: str, model: str, state: BreakerState) -> None:
        """Take the state that a breaker is in now; a listener of the manager's breakers."""
        states = self._states.setdefault(provider, {})
        states[model] = _STATES[state]
        self._breakers.labels(provider, model).set(states[model])
        self._breaker.labels(provider).set(min(states.values(), key=_WORSE.index))

    def forget_breakers(self) -> None:
        """Show none of the breakers that were shown so far: others take their place."""
        self._states.clear()
        self._breaker.clear()
        self._breakers.clear()

    def watch_pools(self, pools: Callable[[], Iterable[tuple[str, PoolFacts]]]) -> None:
        """Show connections too.

        Args:
            pools: Gives those of each provider, whenever somebody looks.
        """
        self.registry.register(_Pools(pools))

    def text(self) -> str:
        """All metrics in the format of Prometheus."""
        from prometheus_client import generate_latest  # noqa: PLC0415 - an extra

        return generate_latest(self.registry).decode()


class _Pools:
    """The connections, read when they are asked for."""

    def __init__(self, pools: Callable[[], Iterable[tuple[str, PoolFacts]]]) -> None:
        self._pools = pools

    def collect(self) -> Iterable[GaugeMetricFamily]:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - an extra

        gauge = GaugeMetricFamily("llm_pool_connections", "Connections to a provider.", labels=("provider", "state"))
        for provider, facts in self._pools():
            for state in ("open", "in_use", "waiting"):
                gauge.add_metric((provider, state), getattr(facts, state))
        yield gauge
