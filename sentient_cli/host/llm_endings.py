"""Warns of models whose vendor has said when they end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from sentient_cli.llm.models.facts import facts_of

__all__ = ["Endings", "ending_of"]

_REMEMBERED: Final = 1000
_logger = logging.getLogger(__name__)


def ending_of(kind: str, model: str) -> str:
    """The day (YYYY-MM-DD) from which a model answers no more; empty: none is known.

    Args:
        kind: The kind of its provider.
        model: As the provider names it.

    Example:
        >>> ending_of("openai", "gpt-5-mini"), ending_of("openai", "gpt-5.4-mini")
        ('2026-12-11', '')
    """
    facts = facts_of(kind, model)
    return (facts.shutdown if facts is not None else None) or ""


class Endings:
    """Logs a warning when a model is asked that is to end: once for each.

    Args:
        kind: Tells the kind of a provider.

    Example:
        >>> endings = Endings(lambda provider: provider)
        >>> endings.asked("offline", "echo")
    """

    def __init__(self, kind: Callable[[str], str]) -> None:
        self._kind = kind
        self._seen: set[tuple[str, str]] = set()

    def asked(self, provider: str, model: str) -> None:
        """A model is asked.

        Args:
            provider: Its provider.
            model: As that one names it.
        """
        if (provider, model) in self._seen or len(self._seen) >= _REMEMBERED:
            return
        self._seen.add((provider, model))
        if day := ending_of(self._kind(provider), model):
            _logger.warning("The model %s:%s answers no more from %s on: choose another one", provider, model, day)
