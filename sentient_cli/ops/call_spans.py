"""Spans of the calls of models, for OpenTelemetry.

Source: the semantic conventions for generative AI, https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/.
No prompt and no answer is in them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from sentient_cli.llm.usage.rows import UsageRow
from sentient_cli.ops.extras import missing_extra

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["CallSpans"]

_MOST_OPEN: Final = 10_000
_NAMES: Final = {"azure": "azure.ai.openai", "mistral": "mistral_ai", "xai": "x_ai"}
"""What the conventions call providers that they know by other names."""


class CallSpans:
    """Makes a span of each call as it ends, below the span in which it was made. A `UsageHook` hands it the rows.

    A span is never current while an answer streams, so nothing else can become its child by accident.

    Args:
        provider: Where spans go; the one that is set for the process unless given.

    Raises:
        ConfigError: OpenTelemetry is not installed.

    Example:
        >>> import asyncio
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        >>> from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> from sentient_cli.llm.usage.hook import UsageHook
        >>> exporter, provider = InMemorySpanExporter(), TracerProvider()
        >>> provider.add_span_processor(SimpleSpanProcessor(exporter))
        >>> manager = LLMManager([OfflineProvider()], hooks=[UsageHook(CallSpans(provider))])
        >>> _ = asyncio.run(manager.generate("Hello", model="offline:echo"))
        >>> [span.name for span in exporter.get_finished_spans()]
        ['chat echo']
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415 - an extra
        except ImportError:
            raise missing_extra("Traces", "otel") from None
        from sentient_cli import __version__  # noqa: PLC0415 - the package's own root

        self._trace = trace
        self._tracer = trace.get_tracer("sentient_cli.llm", __version__, provider)
        self._attempts: OrderedDict[str, list[UsageRow]] = OrderedDict()

    def add(self, row: UsageRow) -> None:
        """Take what became of a call, or of one of its attempts."""
        if not row.final:
            self._attempts.setdefault(row.call, []).append(row)
            if len(self._attempts) > _MOST_OPEN:
                self._attempts.popitem(last=False)
            return
        attempts = self._attempts.pop(row.call, [])
        trace = self._trace
        span = self._tracer.start_span(
            f"chat {row.model}", kind=trace.SpanKind.CLIENT, attributes=_attributes(row), start_time=row.at
        )
        for failed in attempts:
            told: dict[str, str | int] = {
                "attempt": failed.attempt,
                "provider": failed.provider,
                "model": failed.model,
                "error.type": failed.error or "_OTHER",
            }
            span.add_event("llm.attempt.failed", told, timestamp=failed.failed_at or failed.at)
        if row.outcome == "error":
            span.set_status(trace.StatusCode.ERROR, row.error)
        span.end(row.at + round((row.total_ms or 0.0) * 1e6))


def _attributes(row: UsageRow) -> dict[str, str | int | float | bool]:
    tokens = row.tokens
    told: dict[str, str | int | float | bool | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _NAMES.get(row.provider, row.provider),
        "gen_ai.request.model": row.model,
        "gen_ai.conversation.id": row.session,
        "gen_ai.agent.name": row.agent,
        "gen_ai.usage.input_tokens": tokens.prompt,
        "gen_ai.usage.output_tokens": tokens.output,
        "gen_ai.usage.cache_read.input_tokens": tokens.cache_read,
        "gen_ai.usage.cache_creation.input_tokens": tokens.cache_write,
        "error.type": row.error,
        "sentient.call": row.call,
        "sentient.run": row.run,
        "sentient.query": row.query,
        "sentient.attempts": row.attempt,
        "sentient.cost_usd": row.cost,
        "sentient.first_token_ms": row.first_ms,
        "sentient.cached": row.cached or None,
        "sentient.degraded": row.degraded or None,
    }
    return {name: value for name, value in told.items() if value is not None}
