"""Metrics of calls as Prometheus reads them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sentient_cli.llm.usage.rows import UsageRow
from sentient_cli.llm.wire.transport import PoolFacts
from sentient_cli.ops import CallMetrics


def _values(metrics: CallMetrics, name: str) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(metrics.text()):
        for sample in family.samples:
            if sample.name == name:
                found[tuple(text for _, text in sorted(sample.labels.items()))] = sample.value
    return found


def _row(call: str = "a", *, provider: str = "openai", model: str = "large", outcome: str = "done") -> UsageRow:
    return UsageRow(
        call=call, at=0, provider=provider, model=model, outcome=outcome, input=10, output=5, cost=0.25, total_ms=1500.0
    )


def test_calls_tokens_and_costs_are_counted_under_the_names_that_were_promised() -> None:
    metrics = CallMetrics()
    metrics.add(_row("a"))
    metrics.add(_row("b", outcome="error"))
    metrics.add(_row("c", outcome="cancelled"))
    assert _values(metrics, "llm_requests_total") == {
        ("large", "openai", "success"): 1.0,
        ("large", "openai", "error"): 1.0,
    }
    assert _values(metrics, "llm_tokens_consumed_total") == {
        ("large", "openai", "input"): 30.0,
        ("large", "openai", "output"): 15.0,
    }
    assert _values(metrics, "llm_cost_incurred_total") == {("large", "openai"): 0.75}


def test_the_buckets_of_the_durations() -> None:
    metrics = CallMetrics()
    metrics.add(_row())
    buckets = _values(metrics, "llm_request_duration_seconds_bucket")
    assert {key[0]: value for key, value in buckets.items()} == {
        "0.1": 0.0,
        "0.5": 0.0,
        "1.0": 0.0,
        "2.0": 1.0,
        "5.0": 1.0,
        "10.0": 1.0,
        "30.0": 1.0,
        "+Inf": 1.0,
    }


def test_an_attempt_that_failed_is_counted_by_its_error_and_is_no_call() -> None:
    metrics = CallMetrics()
    failed = _row()
    failed.final, failed.error, failed.outcome = False, "rate-limit", "failed"
    metrics.add(failed)
    assert _values(metrics, "llm_attempts_failed_total") == {("rate-limit", "large", "openai"): 1.0}
    assert _values(metrics, "llm_requests_total") == {}


def test_an_answer_from_the_cache_costs_nothing() -> None:
    metrics = CallMetrics()
    row = _row()
    row.cached = True
    metrics.add(row)
    assert _values(metrics, "llm_cached_answers_total") == {("large", "openai"): 1.0}
    assert _values(metrics, "llm_tokens_consumed_total") == {}


@pytest.mark.parametrize(
    ("states", "worst"), [(("closed", "half_open"), 2.0), (("half_open", "open"), 1.0), (("closed", "closed"), 0.0)]
)
def test_the_state_of_a_provider_is_the_worst_of_its_models(states: tuple[str, str], worst: float) -> None:
    metrics = CallMetrics()
    for model, state in zip(("small", "large"), states, strict=True):
        assert state in {"closed", "open", "half_open"}
        metrics.breaker("openai", model, "closed" if state == "closed" else "open" if state == "open" else "half_open")
    assert _values(metrics, "llm_circuit_breaker_state") == {("openai",): worst}
    assert len(_values(metrics, "llm_circuit_breaker_model_state")) == 2


def test_connections_are_read_when_somebody_looks() -> None:
    metrics = CallMetrics()
    facts = {"openai": PoolFacts(open=3, in_use=2, waiting=1, limit=10)}
    metrics.watch_pools(facts.items)
    assert _values(metrics, "llm_pool_connections") == {
        ("openai", "open"): 3.0,
        ("openai", "in_use"): 2.0,
        ("openai", "waiting"): 1.0,
    }
    facts["openai"] = PoolFacts()
    assert _values(metrics, "llm_pool_connections")["openai", "open"] == 0.0
