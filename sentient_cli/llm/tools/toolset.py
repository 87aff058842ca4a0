"""Tools by their names, and the answers to what a model asks of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from sentient_cli.errors import RunError, ToolDefinitionError, ToolError
from sentient_cli.llm.offered import check_tools
from sentient_cli.llm.tools.definition import Tool
from sentient_cli.llm.tools.results import result_content
from sentient_cli.llm.types import Message, ToolCall
from sentient_cli.redact import redactor

__all__ = ["Toolset"]

_logger = logging.getLogger(__name__)


class Toolset:
    """Tools, each under its name. It goes wherever ``tools=`` does.

    Args:
        tools: Those of `tool`.
        parallel: How many calls of one answer go on at a time.

    Raises:
        ToolDefinitionError: two share a name, or something is no tool, such as a plain function; or ``parallel`` is
            below 1.

    Example:
        >>> from sentient_cli.llm import ToolCall, tool
        >>> @tool
        ... def add(a: int, b: int) -> int:
        ...     return a + b
        >>> tools = Toolset([add])
        >>> asyncio.run(tools.answer(ToolCall("call_1", "add", '{"a": 2, "b": 3}'))).text
        '5'
    """

    def __init__(self, tools: Iterable[Tool[..., object]] = (), *, parallel: int = 8) -> None:
        self._tools: dict[str, Tool[..., object]] = {}
        if type(parallel) is not int or parallel < 1:
            raise ToolDefinitionError(f"`parallel` cannot be {parallel!r:.40}", fix="Give a whole number from 1")
        self._parallel = parallel
        for each in _checked(tools):
            if each.name in self._tools:
                raise ToolDefinitionError(f"Two tools are called {each.name!r}", fix="Give each a `name` of its own")
            self._tools[each.name] = each

    def __iter__(self) -> Iterator[Tool[..., object]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __getitem__(self, name: str) -> Tool[..., object]:
        return self._tools[name]

    async def answer(self, call: ToolCall, *, parent: str | None = None) -> Message:
        """Do what a model asks for, and give the message that tells it the result, or what was wrong.

        It is told the text of a `ToolError` or a `ValueError`; any other exception is logged, and it only learns that
        the tool failed.

        Args:
            call: That of an answer.
            parent: The id of the call that this one is part of.

        Raises:
            RunError: the tool wrote to a response that is complete, or to a run that has ended.
        """
        found = self._tools.get(call.name)
        if found is None:
            names = ", ".join(self._tools) or "none"
            return Message.tool(call, f"There is no tool {call.name!r:.80}. There are: {names}", is_error=True)
        try:
            result = await found.call(call.arguments, call=call.id, parent=parent)
            return Message.tool(call, result_content(call.name, result))
        except RunError:
            raise
        except Exception as error:  # noqa: BLE001 - a model is told, and may do better
            return Message.tool(call, redactor.redact(_told(call, error)), is_error=True)

    async def answer_all(self, calls: Sequence[ToolCall], *, parent: str | None = None) -> tuple[Message, ...]:
        """Do all that an answer asks for, several at a time, and give the messages in the order of the calls.

        When the wait ends early, so do the calls.

        Args:
            calls: Those of one answer.
            parent: The id of the call that these are part of.

        Raises:
            RunError: as `answer` does.
        """
        room = asyncio.Semaphore(self._parallel)

        async def one(call: ToolCall) -> Message:
            async with room:
                return await self.answer(call, parent=parent)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(call)) for call in calls]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return tuple(task.result() for task in tasks)


def _checked(tools: object) -> Iterable[Tool[..., object]]:
    if not isinstance(tools, Iterable) or isinstance(tools, str | Tool):
        check_tools(tools)
    given = tuple(cast("Iterable[Tool[..., object]]", tools))
    if not all(isinstance(each, Tool) for each in given):  # pyright: ignore[reportUnnecessaryIsInstance]
        check_tools(given)
        raise ToolDefinitionError("A description of a tool cannot be called", fix="Give a tool made by `llm.tool`")
    return given


def _told(call: ToolCall, error: Exception) -> str:
    if isinstance(error, ToolError):
        return str(error)
    if isinstance(error, ValueError):
        return f"The tool {call.name!r} refused: {error}"
    _logger.error("The tool %r failed", call.name, exc_info=error)
    return f"The tool {call.name!r} failed"
