"""Typed functions as tools of a model."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from functools import cached_property, partial, update_wrapper
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from typing_extensions import override

from sentient_cli.errors import ToolDefinitionError, ToolError, ToolTimeoutError
from sentient_cli.llm.tools.recording import recorded
from sentient_cli.llm.tools.threads import in_thread
from sentient_cli.llm.types import ToolSpec

if TYPE_CHECKING:
    from sentient_cli.llm.tools.arguments import Arguments, ToolArguments

__all__ = ["AsyncTool", "SyncTool", "Tool", "ToolDecorator", "tool"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tool(ABC, Generic[P, R_co]):
    """A function that a model may call. `tool` makes one; any set of them is a ``Sequence[Tool[..., object]]``.

    Called as a function it is the function, with its own signature. `call` is the way in for a model: it takes JSON.

    Args:
        function: What is called; its parameters have names and types.
        name: What a model calls it; the function's name unless given.
        description: What a model is told; the text of the docstring unless given.
        timeout: Seconds that a call may take; None: any time.

    Raises:
        ToolDefinitionError: no model takes the name, the timeout is not positive, or there is nothing to call.

    Example:
        >>> @tool
        ... def add(a: int, b: int) -> int:
        ...     '''Adds two numbers.'''
        ...     return a + b
        >>> add(2, 3), asyncio.run(add.call('{"a": 2, "b": 3}'))
        (5, 5)
        >>> add.spec.name, add.spec.description
        ('add', 'Adds two numbers.')
    """

    __name__: str

    def __init__(
        self,
        function: Callable[P, object],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
    ) -> None:
        if not callable(cast("object", function)):
            fix = "Write `@llm.tool` above a function"
            raise ToolDefinitionError(f"A tool is made of a function, not {type(function).__name__}", fix=fix)
        update_wrapper(self, function)
        own: str = getattr(function, "__name__", type(function).__name__)
        self.name: str = own if name is None else name
        self.timeout = timeout
        self._description = description
        self._wrapped: Callable[..., object] = function
        if not isinstance(cast("object", self.name), str) or not _NAME.fullmatch(self.name):
            fix = "Give it a `name` of 1 to 64 letters, digits, `_` and `-`"
            raise ToolDefinitionError(f"A tool cannot be called {self.name!r:.80}", fix=fix)
        seconds = cast("object", timeout)
        if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
            fix = "Give seconds above 0, or None"
            raise ToolDefinitionError(f"The tool {self.name!r} cannot have a timeout of {timeout!r}", fix=fix)

    @abstractmethod
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co | Coroutine[object, None, R_co]:
        """The function itself."""

    @abstractmethod
    async def _invoke(self, given: dict[str, object]) -> R_co: ...

    @cached_property
    def _arguments(self) -> ToolArguments:
        from sentient_cli.llm.tools.arguments import ToolArguments  # noqa: PLC0415 - pydantic, on first use

        return ToolArguments(self._wrapped, self.name)

    @property
    def description(self) -> str:
        """What a model is told about it."""
        return self._arguments.description if self._description is None else self._description

    @cached_property
    def _spec(self) -> ToolSpec:
        return ToolSpec(self.name, self.description, self._arguments.schema)

    @property
    def spec(self) -> ToolSpec:
        """What a model is told: name, description, and the JSON Schema of the arguments.

        Raises:
            ToolDefinitionError: a parameter has no type, or one that JSON cannot hold.
        """
        return self._spec

    async def call(self, arguments: Arguments, *, call: str | None = None, parent: str | None = None) -> R_co:
        """Check the arguments and call the function; within a run it is told to the run's log.

        A plain function is called in a thread of its own. One that is cancelled, or takes too long, goes on there
        unheard.

        Args:
            arguments: JSON as a model writes it, or values by name.
            call: The id that the model gave the call.
            parent: The id of the call that this one is part of.

        Raises:
            ToolArgumentsError: the arguments do not fit.
            ToolTimeoutError: it took too long.
            Exception: what the function raises.
        """
        with recorded(self.name, arguments, call, parent) as told:
            given = self._arguments.read(arguments)
            told.result = result = await self._within_time(given)
            return result

    async def _within_time(self, given: dict[str, object]) -> R_co:
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                return await self._contained(given)
        except TimeoutError as error:
            if not limit.expired():
                raise
            fix = "Raise its `timeout`, or make it faster"
            raise ToolTimeoutError(f"The tool {self.name!r} took longer than {self.timeout:g} s", fix=fix) from error

    async def _contained(self, given: dict[str, object]) -> R_co:
        try:
            return await self._invoke(given)
        except SystemExit as error:  # in a task of its own it would end the loop
            raise ToolError(f"The tool {self.name!r} wanted to end the process") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise ToolError(f"The tool {self.name!r} was cancelled from within") from error

    def __repr__(self) -> str:
        return f"<tool {self.name}>"


class SyncTool(Tool[P, R_co]):
    """A plain function that a model may call, made by `tool`.

    Example:
        >>> @tool(name="shout", timeout=1.0)
        ... def upper(text: str) -> str:
        ...     return text.upper()
        >>> isinstance(upper, SyncTool), upper("hi"), upper.name
        (True, 'HI', 'shout')
    """

    @override
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return cast("Callable[P, R_co]", self._wrapped)(*args, **kwargs)

    @override
    async def _invoke(self, given: dict[str, object]) -> R_co:
        result = await in_thread(partial(cast("Callable[..., R_co]", self._wrapped), **given), self.name)
        if isawaitable(result):  # a decorator may hide that a function is async
            return cast("R_co", await result)
        return result


class AsyncTool(Tool[P, R_co]):
    """An async function that a model may call, made by `tool`.

    Example:
        >>> @tool
        ... async def weather(city: str) -> str:
        ...     return f"It rains in {city}."
        >>> isinstance(weather, AsyncTool), asyncio.run(weather("Rome"))
        (True, 'It rains in Rome.')
    """

    @override
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[object, None, R_co]:
        return cast("Callable[P, Coroutine[object, None, R_co]]", self._wrapped)(*args, **kwargs)

    @override
    async def _invoke(self, given: dict[str, object]) -> R_co:
        return await cast("Callable[..., Coroutine[object, None, R_co]]", self._wrapped)(**given)


class ToolDecorator(Protocol):
    """What `tool` returns when it is given settings and no function."""

    # An async function is a plain one that returns a coroutine: the first overload is to win.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[object, None, R]], /
    ) -> AsyncTool[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> SyncTool[P, R]: ...


# As above: the first overload is to win.
@overload
def tool(  # type: ignore[overload-overlap]
    function: Callable[P, Coroutine[object, None, R]],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
) -> AsyncTool[P, R]: ...
@overload
def tool(
    function: Callable[P, R],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
) -> SyncTool[P, R]: ...
@overload
def tool(*, name: str | None = None, description: str | None = None, timeout: float | None = None) -> ToolDecorator: ...
def tool(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
) -> Tool[..., object] | ToolDecorator:
    """Make a tool of a typed function, plain or async.

    Args:
        function: Its parameters have names and types; the docstring says what it and they are for.
        name: What a model calls it; the function's name unless given.
        description: What a model is told; the text of the docstring unless given.
        timeout: Seconds that a call may take; None: any time.

    Raises:
        ToolDefinitionError: no model takes the name, or the timeout is not positive.

    Example:
        >>> @tool
        ... def add(a: int, b: int = 1) -> int:
        ...     "Add two numbers."
        ...     return a + b
        >>> add(2, 3), asyncio.run(add.call('{"a": 2}'))
        (5, 3)
        >>> add.spec.parameters["required"]
        ['a']
    """
    if function is None:
        return cast("ToolDecorator", partial(tool, name=name, description=description, timeout=timeout))
    if _is_async(function):
        made: Tool[..., object] = AsyncTool(function, name=name, description=description, timeout=timeout)
    else:
        made = SyncTool(function, name=name, description=description, timeout=timeout)
    return made


def _is_async(function: Callable[..., object]) -> bool:
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)
