"""The manager that plain calls use: that of the run they are made in, or one on the offline model."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from functools import cache

from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.streaming import LLMStream
from sentient_cli.llm.types import Completion, Messages, ToolSpec

__all__ = ["current_manager", "generate", "get_manager", "stream"]

current_manager: ContextVar[LLMManager | None] = ContextVar("current_manager", default=None)
"""The manager of the current run; set by the host."""


@cache
def _offline_manager() -> LLMManager:
    from sentient_cli.llm.offline import OfflineProvider  # noqa: PLC0415 - only when there is no other manager

    return LLMManager([OfflineProvider()], default_model=OfflineProvider.ID)


def get_manager() -> LLMManager:
    """The manager of the current run, or, outside of a run, one that has only the offline model."""
    return current_manager.get() or _offline_manager()


def stream(
    messages: Messages,
    *,
    model: str | None = None,
    parameters: Parameters | None = None,
    tools: Sequence[ToolSpec] = (),
) -> LLMStream:
    """Ask the current manager for an answer piece by piece.

    Args:
        messages: A prompt or a conversation.
        model: A model id, ``provider:model``; the default model otherwise.
        parameters: How to answer.
        tools: What the model may ask for.

    Raises:
        ConfigError: the model id leads nowhere.
        BadRequestError: there is no message, or two tools share a name.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> async def main() -> str:
        ...     return "".join([text async for text in llm.stream("Reverse: abc")])
        >>> "cba" in asyncio.run(main())
        True
    """
    return get_manager().stream(messages, model=model, parameters=parameters, tools=tools)


async def generate(
    messages: Messages,
    *,
    model: str | None = None,
    parameters: Parameters | None = None,
    tools: Sequence[ToolSpec] = (),
) -> Completion:
    """Ask the current manager for a whole answer; the arguments are those of `stream`.

    Raises:
        ConfigError: the model id leads nowhere, or the provider has no key.
        ProviderError: the call failed.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> asyncio.run(llm.generate("What is 2 + 2?")).finish_reason
        'stop'
    """
    return await get_manager().generate(messages, model=model, parameters=parameters, tools=tools)
