"""Counts what a provider does."""

from __future__ import annotations

from sentient_cli.llm.provider import ProviderMetrics
from sentient_cli.llm.types import Usage

__all__ = ["Meter"]


class Meter:
    """The counters of one provider.

    Example:
        >>> meter = Meter()
        >>> meter.begin()
        >>> meter.end(Usage(input=3, output=4), failed=False)
        >>> meter.metrics.requests, meter.metrics.active, meter.metrics.output_tokens
        (1, 0, 4)
    """

    __slots__ = ("_active", "_errors", "_input", "_output", "_requests")

    def __init__(self) -> None:
        self._requests = self._errors = self._active = self._input = self._output = 0

    @property
    def metrics(self) -> ProviderMetrics:
        """The counters now."""
        return ProviderMetrics(
            requests=self._requests,
            errors=self._errors,
            active=self._active,
            input_tokens=self._input,
            output_tokens=self._output,
        )

    def begin(self) -> None:
        """A call begins."""
        self._requests += 1
        self._active += 1

    def end(self, usage: Usage | None, *, failed: bool) -> None:
        """A call ends.

        Args:
            usage: Its tokens, when they are known.
            failed: Whether it failed; a cancelled call did not.
        """
        self._active -= 1
        self._errors += failed
        if usage is not None:
            self._input += usage.prompt or 0
            self._output += usage.output or 0
