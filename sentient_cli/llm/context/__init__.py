"""Conversations kept within what a model can read: counted, trimmed, summarised, with what is pinned."""

from __future__ import annotations

from sentient_cli.llm.context.counting import Estimate, TokenCounter
from sentient_cli.llm.context.fitting import ContextFor, InContext
from sentient_cli.llm.context.manager import ContextManager, Fitted
from sentient_cli.llm.context.summary import AskedSummary, ModelSummary, Summariser

__all__ = [
    "AskedSummary",
    "ContextFor",
    "ContextManager",
    "Estimate",
    "Fitted",
    "InContext",
    "ModelSummary",
    "Summariser",
    "TokenCounter",
]
