"""What is offered to a model as tools: finds out what of it is none, so that the error can say it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from sentient_cli.errors import BadRequestError, ToolDefinitionError
from sentient_cli.llm.whole import check_whole

__all__ = ["check_call", "check_spec", "check_tools"]


def check_tools(tools: object) -> None:
    """See whether all that was given as tools are tools.

    Raises:
        ToolDefinitionError: something else is among them.

    Example:
        >>> check_tools([len])
        Traceback (most recent call last):
        ...
        sentient_cli.errors.ToolDefinitionError: The function 'len' is no tool yet. Write `@llm.tool` above it...
    """
    if hasattr(type(tools), "spec"):
        raise ToolDefinitionError("The tools are one tool and no list of tools", fix="Write `tools=[…]` around it")
    if isinstance(tools, str) or not isinstance(tools, Iterable):
        raise ToolDefinitionError(f"Tools are a list of tools, not {type(tools).__name__}", fix="Write `tools=[…]`")
    for each in cast("Iterable[object]", tools):
        if hasattr(type(each), "spec"):
            continue
        if callable(each):
            name: object = getattr(each, "__name__", type(each).__name__)
            raise ToolDefinitionError(
                f"The function {name!r:.80} is no tool yet",
                fix="Write `@llm.tool` above it, or `llm.tool(…)` around it; its parameters need types",
            )
        raise ToolDefinitionError(
            f"A tool is made by `llm.tool`, or is a `ToolSpec`, and not {type(each).__name__}",
            fix="Write `@llm.tool` above a function, and give that",
        )


def check_spec(name: object, description: object, parameters: object) -> None:
    """See whether the description of a tool can be sent.

    Args:
        name: What it is called.
        description: What the model is told.
        parameters: The JSON Schema of its arguments.

    Raises:
        ToolDefinitionError: it cannot.

    Example:
        >>> check_spec("now", "Says what time it is.", {"type": "object"})
    """
    if not isinstance(name, str) or not name:
        raise ToolDefinitionError(f"A tool cannot be called {name!r:.80}", fix="Give it a name of letters and digits")
    if not isinstance(description, str):
        raise ToolDefinitionError(
            f"The description of the tool {name!r:.80} is {_name(description)}", fix="Give a text, which may be empty"
        )
    check_whole(name, "The name of a tool", ToolDefinitionError)
    check_whole(description, f"The description of the tool {name!r:.80}", ToolDefinitionError)
    if not isinstance(parameters, dict):
        raise ToolDefinitionError(
            f"The parameters of the tool {name!r:.80} are {_name(parameters)}",
            fix='Give their JSON Schema as a dict: `{"type": "object", "properties": {…}}`',
        )
    try:
        msgspec.json.encode(cast("dict[object, object]", parameters))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolDefinitionError(
            f"The parameters of the tool {name!r:.80} cannot be sent", why=str(error), fix="Use what JSON can hold"
        ) from error


def check_call(call: object, kind: type) -> None:
    """See whether a call of a tool is one.

    Args:
        call: What was given as one.
        kind: What calls are.

    Raises:
        BadRequestError: it is something else.

    Example:
        >>> check_call("call_1", dict)
        Traceback (most recent call last):
        ...
        sentient_cli.errors.BadRequestError: A call of a tool is a `ToolCall`, not str. Give one of an answer's...
    """
    if not isinstance(call, kind):
        raise BadRequestError(
            f"A call of a tool is a `ToolCall`, not {_name(call)}",
            fix="Give one of an answer's `tool_calls`, or write `ToolCall(id, name, arguments)`",
        )


def _name(value: object) -> str:
    return type(value).__name__
