"""Metrics and spans of calls that go over real sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from sentient_cli import Query, Response, Session, llm
from sentient_cli.errors import ServerError
from sentient_cli.llm import LLMManager, Usage
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.usage.hook import UsageHook, UsageSink
from sentient_cli.ops import CallMetrics, CallSpans
from sentient_cli.testing import FixedClock, make_session, run_agent
from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import Answer, LLMServer, Received, as_json

DOWN = as_json({"error": {"message": "Down"}}, 503)
WELL = chat_answer("Hello", usage=(10, 5))


def _price(provider: str, model: str, usage: Usage, tier: str | None) -> float | None:
    return None if usage.total is None else usage.total / 100


@asynccontextmanager
async def _watched(
    server: LLMServer, *sinks: UsageSink, clock: FixedClock | None = None
) -> AsyncGenerator[tuple[LLMManager, CompatibleProvider]]:
    clock = clock or FixedClock()
    config = CompatibleConfig(base_url=f"{server.url}/v1", default_model="small", max_connections=7)
    provider = CompatibleProvider("compatible", config, provider_id="mine")
    policies = ResiliencePolicies(retry=RetryPolicy(attempts=2, base=0), breaker=BreakerPolicy(failures=4, open_for=10))
    manager = LLMManager(
        [provider],
        default_model="mine",
        hooks=[UsageHook(*sinks, clock=clock)],
        clock=clock,
        policies=policies,
        price=_price,
    )
    try:
        yield manager, provider
    finally:
        await manager.aclose()


def _samples(metrics: CallMetrics) -> dict[str, float]:
    """Each line of the exposition, as it is written."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.text()):
        for sample in family.samples:
            labels = ",".join(f"{name}={text}" for name, text in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


@pytest.mark.story("A2", "4.5")
async def test_what_is_counted_under_which_names() -> None:
    metrics = CallMetrics()
    with LLMServer(DOWN, WELL, WELL, DOWN) as server:
        async with _watched(server, metrics) as (manager, _):
            for _ in range(2):
                await manager.generate("Hello")
            with pytest.raises(ServerError):
                await manager.generate("Hello")
    seen, where = _samples(metrics), "model=small,provider=mine"
    expected = {
        f"llm_requests_total{{{where},status=success}}": 2.0,
        f"llm_requests_total{{{where},status=error}}": 1.0,
        f"llm_tokens_consumed_total{{{where},type=input}}": 20.0,
        f"llm_tokens_consumed_total{{{where},type=output}}": 10.0,
        f"llm_request_duration_seconds_count{{{where}}}": 3.0,
        f"llm_attempts_failed_total{{error=provider-server,{where}}}": 3.0,
    }
    assert {name: seen[name] for name in expected} == expected
    assert seen[f"llm_cost_incurred_total{{{where}}}"] == pytest.approx(0.3)
    bounds = [name.partition("le=")[2].partition(",")[0] for name in seen if "request_duration_seconds_bucket" in name]
    assert bounds == ["0.1", "0.5", "1.0", "2.0", "5.0", "10.0", "30.0", "+Inf"]
    assert 'llm_requests_total{model="small",provider="mine",status="success"} 2.0' in metrics.text()


@pytest.mark.story("A2", "4.4")
async def test_breakers_are_shown_the_worst_of_a_provider() -> None:
    metrics, clock, states = CallMetrics(), FixedClock(), list[float]()
    name = "llm_circuit_breaker_state{provider=mine}"
    with LLMServer(DOWN) as server:
        async with _watched(server, clock=clock) as (manager, _):
            manager.breakers.listen(metrics.breaker)
            manager.breakers.listen(lambda provider, model, state: states.append(_samples(metrics)[name]))
            for _ in range(2):
                with pytest.raises(ServerError):
                    await manager.generate("Hello")
            server.answer(WELL)
            await manager.generate("Hello", model="mine:other")
            seen = _samples(metrics)
            assert (seen[name], seen["llm_circuit_breaker_model_state{model=small,provider=mine}"]) == (1, 1)
            clock.advance(10)
            await manager.generate("Hello")
    assert states[-3:] == [1, 2, 0]


@pytest.mark.story("13.5")
async def test_connections_are_shown_as_they_stand() -> None:
    metrics = CallMetrics()
    with LLMServer(chat_answer("Hel", "lo", how="stall")) as server:
        async with _watched(server) as (manager, provider):
            metrics.watch_pools(lambda: [("mine", provider.pool)])
            streams = [manager.stream("Hello") for _ in range(3)]
            for stream in streams:
                await anext(stream)
            seen = _samples(metrics)
            for stream in streams:
                await stream.aclose()
            after = _samples(metrics)
    assert seen["llm_pool_connections{provider=mine,state=in_use}"] == server.accepted == 3
    assert seen["llm_pool_connections{provider=mine,state=waiting}"] == 0
    assert after["llm_pool_connections{provider=mine,state=in_use}"] == 0


@pytest.mark.story("A5", "4.5")
async def test_the_span_of_a_call_in_a_run_knows_whose_it_is_and_what_failed_on_the_way() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    session = make_session()

    async def asker(session: Session, query: Query, response: Response) -> None:
        await response.stream_llm("ANSWER", llm.stream(query.prompt))

    with LLMServer(DOWN, WELL) as server:
        async with _watched(server, CallSpans(provider)) as (manager, _):
            run = await run_agent(asker, "Hello", session=session, llm=manager)
    assert run.text() == "Hello"
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("chat small", trace.SpanKind.CLIENT)
    told = dict(span.attributes or {})
    assert told["gen_ai.conversation.id"] == str(session.activity_id)
    assert told["gen_ai.agent.name"] == "asker"
    assert {"sentient.query", "sentient.run", "sentient.call"} <= told.keys()
    (event,) = span.events
    assert (event.name, dict(event.attributes or {})["error.type"]) == ("llm.attempt.failed", "provider-server")


@pytest.mark.story("4.5")
async def test_each_failed_attempt_is_an_event_at_the_time_at_which_it_failed() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    clock = FixedClock()
    began = clock.now_ns()
    strategy = RetryPolicy(attempts=3, base=10, cap=10, jitter="none")

    def answer(_: Received) -> Answer:
        clock.advance(2)  # as long as the provider takes
        return DOWN if len(server.requests) < 3 else WELL

    with LLMServer(answer) as server:
        config = CompatibleConfig(base_url=f"{server.url}/v1", default_model="small")
        manager = LLMManager(
            [CompatibleProvider("compatible", config, provider_id="mine")],
            default_model="mine",
            hooks=[UsageHook(CallSpans(provider), clock=clock)],
            clock=clock,
            policies=ResiliencePolicies(retry=strategy),
        )
        await manager.generate("Hello")
        await manager.aclose()
    (span,) = exporter.get_finished_spans()
    # The first attempt fails after 2 s and is followed by the next after 10 more.
    assert [(event.timestamp - began) / 1e9 for event in span.events] == pytest.approx([2, 14])
    assert span.end_time is not None
    assert (span.end_time - began) / 1e9 == pytest.approx(26)
