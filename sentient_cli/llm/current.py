"""The manager that plain calls use: that of the run they are made in, a standing one, or one on the offline model."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast, overload

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.ambient import current_manager, later_manager
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.streaming import LLMStream
from sentient_cli.llm.types import Completion, Messages, ToolLike, TypedCompletion

__all__ = ["batch_provider", "current_manager", "generate", "get_manager", "standing_manager", "stream"]

if TYPE_CHECKING:
    from sentient_cli.llm.batches import BatchProvider

T = TypeVar("T")

_standing: list[Callable[[], LLMManager]] = []


@contextmanager
def standing_manager(manager: Callable[[], LLMManager]) -> Generator[None]:
    """Have calls outside of runs use a manager for as long as this is entered, in any thread.

    Args:
        manager: Gives it; called when somebody asks, again each time.

    Example:
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> mine = LLMManager([OfflineProvider()])
        >>> with standing_manager(lambda: mine):
        ...     get_manager() is mine
        True
        >>> get_manager() is mine
        False
    """
    _standing.append(manager)
    try:
        yield
    finally:
        _standing.remove(manager)


@cache
def _offline_manager() -> LLMManager:
    from sentient_cli.llm.offline import OfflineProvider  # noqa: PLC0415 - only when there is no other manager

    return LLMManager([OfflineProvider()], default_model=OfflineProvider.ID)


def get_manager() -> LLMManager:
    """The manager of the current run, or, outside of a run, one that has only the offline model.

    In a file that ``sentient run`` executes it is, outside of a run, that of the settings.

    Example:
        >>> [provider.provider_id for provider in get_manager().providers]
        ['offline']
    """
    manager = current_manager.get()
    if manager is None and (make := later_manager.get()) is not None:
        manager = make()
    return manager or (_standing[-1]() if _standing else _offline_manager())


def batch_provider(model: str | None = None) -> tuple[BatchProvider, str]:
    """Whom to hand requests to that are answered together, and the model as the requests have to name it.

    What they used is written to the ledger as their results are read, at the price of batches, and once only. Requests
    that would cost more than is left of a budget of the session, the day or the profile are not handed in.

    Args:
        model: A model id, ``provider:model``; the default model otherwise.

    Raises:
        ConfigError: the model id leads nowhere, or the provider has no key.
        BadRequestError: its provider takes no batches.

    Example:
        >>> batch_provider("offline")
        Traceback (most recent call last):
        ...
        sentient_cli.errors.BadRequestError: The provider 'offline' takes no batches...
    """
    provider, name = get_manager().resolve(model)
    if not provider.capabilities.batches:
        raise BadRequestError(
            f"The provider {provider.provider_id!r} takes no batches",
            fix="Ask it one request at a time, or use `openai` or `anthropic`, which do",
            provider=provider.provider_id,
        )
    return cast("BatchProvider", provider), name


def stream(
    messages: Messages,
    *,
    model: str | None = None,
    parameters: Parameters | None = None,
    tools: Iterable[ToolLike] = (),
    options: CallOptions | None = None,
) -> LLMStream:
    """Ask the current manager for an answer piece by piece.

    Args:
        messages: A prompt or a conversation.
        model: A model id, ``provider:model``; the default model otherwise.
        parameters: How to answer.
        tools: What the model may ask for. It is not called: `run_tools` and `stream_tools` do that.
        options: What this call has otherwise than the rest, such as how long it may take.

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
    return get_manager().stream(messages, model=model, parameters=parameters, tools=tools, options=options)


@overload
async def generate(
    messages: Messages,
    *,
    model: str | None = None,
    parameters: Parameters | None = None,
    tools: Iterable[ToolLike] = (),
    options: CallOptions | None = None,
) -> Completion: ...
@overload
async def generate(
    messages: Messages,
    *,
    output: type[T],
    output_retries: int = 1,
    model: str | None = None,
    parameters: Parameters | None = None,
    tools: Iterable[ToolLike] = (),
    options: CallOptions | None = None,
) -> TypedCompletion[T]: ...
async def generate(
    messages: Messages,
    *,
    output: type[T] | None = None,
    output_retries: int = 1,
    model: str | None = None,
    parameters: Parameters | None = None,
    tools: Iterable[ToolLike] = (),
    options: CallOptions | None = None,
) -> Completion | TypedCompletion[T]:
    """Ask the current manager for a whole answer.

    Args:
        messages: A prompt or a conversation.
        output: The type that the answer shall have: a pydantic model, a dataclass, a ``TypedDict``, or what JSON has.
            The value is the ``output`` of what is returned.
        output_retries: How often the model is told what does not fit and asked again.
        model: A model id; the default model otherwise.
        parameters: How to answer.
        tools: What the model may ask for. It is not called: `run_tools` does that.
        options: What this call has otherwise than the rest, such as how long it may take.

    Raises:
        ConfigError: the model id leads nowhere, or the provider has no key.
        OutputError: no answer fits ``output``.
        ProviderError: the call failed.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> asyncio.run(llm.generate("What is 2 + 2?")).finish_reason
        'stop'
        >>> asyncio.run(llm.generate('{"a": 1}', model="offline:echo", output=dict[str, int])).output
        {'a': 1}
    """
    if output is None:
        return await get_manager().generate(messages, model=model, parameters=parameters, tools=tools, options=options)
    return await get_manager().generate(
        messages,
        output=output,
        output_retries=output_retries,
        model=model,
        parameters=parameters,
        tools=tools,
        options=options,
    )
