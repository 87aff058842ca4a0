"""How it goes: metrics and traces of the calls of models, for those who run agents.

Both take the rows of usage that `sentient_cli.llm` makes of every call; their libraries are extras, imported when one
of these is made.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.ops.call_metrics import CallMetrics
    from sentient_cli.ops.call_spans import CallSpans
    from sentient_cli.ops.telemetry import Telemetry

__all__ = ["CallMetrics", "CallSpans", "Telemetry"]

_HOME = {"CallMetrics": "call_metrics", "CallSpans": "call_spans", "Telemetry": "telemetry"}


def __getattr__(name: str) -> object:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value
