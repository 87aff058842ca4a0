"""Where spans go: to a collector that speaks OTLP, or to whoever the process has set up for that already."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sentient_cli.ops.call_spans import CallSpans
from sentient_cli.ops.extras import missing_extra

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["Telemetry"]

_FLUSH: Final = 5.0
"""Seconds in which the last spans can be sent."""


class Telemetry:
    """Sends the spans of calls.

    What the process has set up itself is used as it is. Else spans go over HTTP to a collector; what is not said here,
    the variables ``OTEL_…`` of OpenTelemetry say.

    Args:
        endpoint: The address of the collector, without a path; None: as ``OTEL_EXPORTER_OTLP_ENDPOINT`` says.
        service: The name of the service; None: as ``OTEL_SERVICE_NAME`` says.

    Raises:
        ConfigError: OpenTelemetry is not installed.

    Example:
        >>> telemetry = Telemetry("http://127.0.0.1:4318", "guide")
        >>> asyncio.run(telemetry.aclose())
    """

    def __init__(self, endpoint: str | None = None, service: str | None = None) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415 - an extra
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        except ImportError:
            raise missing_extra("Traces", "otel") from None
        current = trace.get_tracer_provider()
        self._own = None if isinstance(current, TracerProvider) else _sending(endpoint, service)
        self.spans: CallSpans = CallSpans(self._own)
        """Makes them."""

    async def aclose(self) -> None:
        """Send the last of them. May be called twice."""
        own, self._own = self._own, None
        if own is not None:
            try:
                async with asyncio.timeout(_FLUSH):
                    await asyncio.to_thread(own.shutdown)
            except TimeoutError:
                pass  # a collector that does not answer holds nobody up


def _sending(endpoint: str | None, service: str | None) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
    except ImportError:
        raise missing_extra("Traces", "otel") from None
    exporter = OTLPSpanExporter(None if endpoint is None else f"{endpoint.rstrip('/')}/v1/traces")
    told = {} if service is None else {"service.name": service}
    provider = TracerProvider(resource=Resource.create(told), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
