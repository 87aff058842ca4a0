"""What servers tell of their models: the length of the context, and what each can do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import SentientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.llm import LLMProvider
    from sentient_cli.llm.compatible import CompatibleProvider
    from sentient_cli.llm.compatible.live import LiveFacts

__all__ = ["facts_told"]

_MOST: Final = 100
"""So many models of a server are asked about at most."""
_AT_ONCE: Final = 4
_SECONDS: Final = 5.0


async def facts_told(provider: LLMProvider, models: Sequence[str]) -> dict[str, LiveFacts]:
    """What a server tells of its models, by their names; nothing of those of which it does not.

    Args:
        provider: Whose they are.
        models: The models.
    """
    from sentient_cli.llm.compatible import CompatibleProvider
    from sentient_cli.llm.providers.lazy import LazyProvider

    made = provider.made if isinstance(provider, LazyProvider) else provider
    if not isinstance(made, CompatibleProvider) or not made.vendor.live:
        return {}
    turns = asyncio.Semaphore(_AT_ONCE)
    found = await asyncio.gather(*(_asked(made, model, turns) for model in models[:_MOST]))
    return {model: told for model, told in zip(models, found, strict=False) if told is not None}


async def _asked(provider: CompatibleProvider, model: str, turns: asyncio.Semaphore) -> LiveFacts | None:
    try:
        async with turns, asyncio.timeout(_SECONDS):
            return await provider.facts(model)
    except (SentientError, TimeoutError):  # what is known without it stays
        return None
