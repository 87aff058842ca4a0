"""Whose manager the calls of a run use; what a manager is made of is not imported, which would be most of a start."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.llm.manager import LLMManager

__all__ = ["current_manager", "later_manager"]

current_manager: ContextVar[LLMManager | None] = ContextVar("current_manager", default=None)
"""The manager of the current run, where there is one already; set by the host."""
later_manager: ContextVar[Callable[[], LLMManager | None] | None] = ContextVar("later_manager", default=None)
"""Makes the manager of the current run with the first call that needs it; set by the host."""
