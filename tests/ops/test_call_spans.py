"""Spans of calls as OpenTelemetry's own exporter sees them."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sentient_cli.llm.usage.rows import UsageRow
from sentient_cli.ops import CallSpans


def _spans(*rows: UsageRow) -> tuple[ReadableSpan, ...]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = CallSpans(provider)
    with provider.get_tracer("a test").start_as_current_span("the run"):
        for row in rows:
            spans.add(row)
    return exporter.get_finished_spans()


def _row(**more: object) -> UsageRow:
    row = UsageRow(call="01J", at=5_000_000_000, provider="openai", model="large", session="chat", total_ms=250.0)
    for name, value in more.items():
        setattr(row, name, value)
    return row


def test_a_call_is_a_span_below_the_one_that_it_was_made_in() -> None:
    span, around = _spans(_row(input=3, cache_read=4, output=5))
    assert span.parent is not None
    assert around.context is not None
    assert span.parent.span_id == around.context.span_id
    assert (span.name, span.kind) == ("chat large", trace.SpanKind.CLIENT)
    assert (span.start_time, span.end_time) == (5_000_000_000, 5_250_000_000)
    assert span.attributes is not None
    assert span.attributes["gen_ai.provider.name"] == "openai"
    assert span.attributes["gen_ai.usage.input_tokens"] == 7
    assert span.attributes["gen_ai.usage.output_tokens"] == 5
    assert span.attributes["gen_ai.conversation.id"] == "chat"
    assert "error.type" not in span.attributes


def test_what_failed_on_the_way_is_an_event() -> None:
    failed = _row(final=False, outcome="failed", error="rate-limit", failed_at=5_100_000_000)
    span, _ = _spans(failed, _row(attempt=2))
    (event,) = span.events
    assert (event.name, event.timestamp) == ("llm.attempt.failed", 5_100_000_000)
    assert event.attributes is not None
    assert event.attributes["error.type"] == "rate-limit"
    assert span.status.is_ok or span.status.is_unset


def test_a_call_that_failed() -> None:
    span, _ = _spans(_row(outcome="error", error="provider-timeout"))
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "provider-timeout"
