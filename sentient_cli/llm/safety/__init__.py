"""Filters of what models are asked and of what they answer, put around whatever answers."""

from __future__ import annotations

from sentient_cli.llm.safety.filters import Finding, SafetyFilter, Verdict
from sentient_cli.llm.safety.guarded import Guarded
from sentient_cli.llm.safety.local import LocalFilter
from sentient_cli.llm.safety.moderation import ModerationConfig, ModerationFilter
from sentient_cli.llm.safety.patterns import PatternFilter

__all__ = [
    "Finding",
    "Guarded",
    "LocalFilter",
    "ModerationConfig",
    "ModerationFilter",
    "PatternFilter",
    "SafetyFilter",
    "Verdict",
]
