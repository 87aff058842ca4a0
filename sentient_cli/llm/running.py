"""The tool loop: asks the current manager, calls the tools that the model wants, and asks again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, overload

import msgspec

from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.conversation import as_conversation
from sentient_cli.llm.current import get_manager
from sentient_cli.llm.loop import Asking, ToolStream
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.tools.definition import Tool
from sentient_cli.llm.tools.toolset import Toolset
from sentient_cli.llm.types import Completion, Messages, OutputSpec, TypedCompletion

__all__ = ["run_tools", "stream_tools"]

T = TypeVar("T")
C = TypeVar("C", bound=Completion)

MAX_STEPS = 10


@overload
async def run_tools(
    messages: Messages,
    tools: Iterable[Tool[..., object]],
    *,
    model: str | None = None,
    parameters: Parameters | None = None,
    max_steps: int = MAX_STEPS,
    manager: LLMManager | None = None,
    options: CallOptions | None = None,
) -> Completion: ...
@overload
async def run_tools(
    messages: Messages,
    tools: Iterable[Tool[..., object]],
    *,
    output: type[T],
    output_retries: int = 1,
    model: str | None = None,
    parameters: Parameters | None = None,
    max_steps: int = MAX_STEPS,
    manager: LLMManager | None = None,
    options: CallOptions | None = None,
) -> TypedCompletion[T]: ...
async def run_tools(
    messages: Messages,
    tools: Iterable[Tool[..., object]],
    *,
    output: type[T] | None = None,
    output_retries: int = 1,
    model: str | None = None,
    parameters: Parameters | None = None,
    max_steps: int = MAX_STEPS,
    manager: LLMManager | None = None,
    options: CallOptions | None = None,
) -> Completion | TypedCompletion[T]:
    """Ask for an answer, and call the tools that the model wants on the way. The calls of one answer go on together.

    A tool that refuses or fails is no error: the model is told, and may do better.

    Args:
        messages: A prompt or a conversation.
        tools: Those of `tool`, or a `Toolset`.
        output: The type that the answer shall have.
        output_retries: How often the model is asked again when its answer does not fit.
        model: A model id, ``provider:model``; the default model otherwise.
        parameters: How to answer. A ``tool_choice`` that has a tool called holds for the first answer alone.
        max_steps: How often the model is asked at most, as long as it wants tools.
        manager: Whose model; the current one otherwise.
        options: What each of the calls has otherwise than the rest; a timeout is that of one call.

    Raises:
        ToolLimitError: it wants tools again and again.
        ToolDefinitionError: two tools share a name, or a function cannot be a tool.
        OutputError: no answer fits ``output``.
        ProviderError: a call failed.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> @llm.tool
        ... def add(a: int, b: int) -> int:
        ...     return a + b
        >>> asyncio.run(llm.run_tools("add a=2 b=3", [add])).text
        'The tool `add` gave: 5'
    """
    manager = manager or get_manager()
    if output is None:
        return await _asking(manager, messages, tools, _plainly, None, 0, model, parameters, max_steps, options).run()
    from sentient_cli.llm.output import output_reader  # noqa: PLC0415 - pydantic, on first use

    reader = output_reader(output)
    return await _asking(
        manager, messages, tools, reader.finish, reader.spec, output_retries, model, parameters, max_steps, options
    ).run()


def stream_tools(
    messages: Messages,
    tools: Iterable[Tool[..., object]],
    *,
    model: str | None = None,
    parameters: Parameters | None = None,
    max_steps: int = MAX_STEPS,
    manager: LLMManager | None = None,
    options: CallOptions | None = None,
) -> ToolStream:
    """The same, piece by piece; the arguments are those of `run_tools`.

    Raises:
        ToolDefinitionError: two tools share a name, or a function cannot be a tool.

    Example:
        >>> import asyncio
        >>> from sentient_cli import llm
        >>> @llm.tool
        ... async def add(a: int, b: int) -> int:
        ...     return a + b
        >>> async def main() -> str:
        ...     return "".join([text async for text in llm.stream_tools("add a=2 b=3", [add])])
        >>> asyncio.run(main())
        'The tool `add` gave: 5'
    """
    manager = manager or get_manager()
    return ToolStream(_asking(manager, messages, tools, _plainly, None, 0, model, parameters, max_steps, options))


def _asking(
    manager: LLMManager,
    messages: Messages,
    tools: Iterable[Tool[..., object]],
    finish: Callable[[Completion], C],
    output: OutputSpec | None,
    retries: int,
    model: str | None,
    parameters: Parameters | None,
    max_steps: int,
    options: CallOptions | None,
) -> Asking[C]:
    toolset = tools if isinstance(tools, Toolset) else Toolset(tools)
    parent = manager.recorder().call
    question = as_conversation(messages)
    return Asking(
        lambda conversation: manager.stream(
            conversation,
            model=model,
            parameters=parameters if len(conversation) == len(question) else _unforced(parameters),
            tools=toolset,
            output=output,
            parent=parent,
            options=options,
        ),
        question,
        finish,
        tools=toolset,
        parent=parent,
        max_steps=max_steps,
        retries=retries,
        is_typed=output is not None,
    )


def _unforced(parameters: Parameters | None) -> Parameters | None:
    """How to answer once tools were called: a model that has to ask for one each time would never come to an end."""
    if parameters is None or parameters.tool_choice in {None, "auto", "none"}:
        return parameters
    return msgspec.structs.replace(parameters, tool_choice="auto")


def _plainly(answer: Completion) -> Completion:
    """An answer as it is: what finishes a question that asked for no type."""
    return answer
