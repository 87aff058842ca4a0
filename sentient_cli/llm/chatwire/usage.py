"""The tokens of a call as vendors tell them, each kind counted once."""

from __future__ import annotations

from sentient_cli.llm.chatwire.frames import UsageFrame
from sentient_cli.llm.types import Usage
from sentient_cli.llm.wire.counts import plausible

__all__ = ["usage_of"]


def usage_of(told: UsageFrame, *, reasoning_apart: bool = False) -> Usage | None:
    """The usage; None when there is not a number in it.

    Args:
        told: As the vendor tells it.
        reasoning_apart: Whether its tokens of the answer do not have those of the reasoning in them.

    Example:
        >>> from sentient_cli.llm.chatwire.frames import PromptDetails
        >>> usage_of(UsageFrame(10, 5, PromptDetails(cached_tokens=4))) == Usage(input=6, cache_read=4, output=5)
        True
    """
    details, parts = told.prompt_tokens_details, told.completion_tokens_details
    read = plausible((details.cached_tokens if details else None) or told.prompt_cache_hit_tokens) or None
    written = plausible(details.cache_write_tokens if details else None) or None
    reasoning = plausible((parts.reasoning_tokens if parts else None) or told.reasoning_tokens)
    prompt, output = plausible(told.prompt_tokens), plausible(told.completion_tokens)
    if prompt is None and output is None:
        return None
    if reasoning_apart and output is not None:
        output += reasoning or 0
    fresh = None if prompt is None else max(0, prompt - (read or 0) - (written or 0))
    return Usage(input=fresh, cache_read=read, cache_write=written, output=output, reasoning=reasoning)
