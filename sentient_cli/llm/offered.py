"""What is offered to a model as tools: finds out what of it is none, so that the error can say it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from sentient_cli.errors import ToolDefinitionError

__all__ = ["check_tools"]


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
