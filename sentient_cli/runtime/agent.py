"""What an agent is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Protocol, TypeAlias, cast, overload, runtime_checkable

from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session

__all__ = ["Agent", "AgentLike", "AssistFunction", "FunctionAgent", "agent", "call_optional"]

AssistFunction: TypeAlias = Callable[[Session, Query, Response], Awaitable[None]]
"""An async function that answers one query."""


@runtime_checkable
class AgentLike(Protocol):
    """Anything that can answer: it needs no base class.

    Example:
        >>> class Echo:
        ...     async def assist(self, session: Session, query: Query, response: Response, /) -> None:
        ...         await response.respond("ANSWER", query.prompt)
        >>> isinstance(Echo(), AgentLike)
        True
    """

    async def assist(self, session: Session, query: Query, response: Response, /) -> None:
        """Answer one query."""
        ...


class Agent(ABC):
    """The base class of agents.

    Args:
        name: For people; the class's name unless given.

    Example:
        >>> class Echo(Agent):
        ...     async def assist(self, session: Session, query: Query, response: Response) -> None:
        ...         await response.text_block("ANSWER", query.prompt)
        >>> Echo().name
        'Echo'
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The agent's name."""
        # Subclasses often forget super().__init__(); that is no reason to fail.
        return getattr(self, "_name", None) or type(self).__name__

    async def setup(self) -> None:  # noqa: B027 - optional by design
        """Called once before the first query, where the agent opens what it needs."""

    @abstractmethod
    async def assist(self, session: Session, query: Query, response: Response) -> None:
        """Answer one query.

        Args:
            session: The chat so far.
            query: What is asked now.
            response: Where the answer goes. Returning completes it.
        """

    async def aclose(self) -> None:  # noqa: B027 - optional by design
        """Called once at the end, where the agent gives back what it opened."""


class FunctionAgent(Agent):
    """An agent made of one async function; what `agent` returns.

    Args:
        function: Answers one query.
        name: For people; the function's name unless given.
    """

    def __init__(self, function: AssistFunction, name: str | None = None) -> None:
        super().__init__(name or getattr(function, "__name__", None))
        self.function = function
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    async def assist(self, session: Session, query: Query, response: Response) -> None:
        """Answer one query with the function."""
        await self.function(session, query, response)


@overload
def agent(function: AssistFunction, /) -> FunctionAgent: ...
@overload
def agent(*, name: str | None = None) -> Callable[[AssistFunction], FunctionAgent]: ...
def agent(
    function: AssistFunction | None = None, /, *, name: str | None = None
) -> FunctionAgent | Callable[[AssistFunction], FunctionAgent]:
    """Make an agent of one async function.

    Args:
        function: Takes the session, the query and the response.
        name: For people; the function's name unless given.

    Example:
        >>> @agent
        ... async def echo(session: Session, query: Query, response: Response) -> None:
        ...     await response.text_block("ANSWER", query.prompt)
        >>> echo.name
        'echo'
    """
    if function is not None:
        return FunctionAgent(function, name)
    return lambda decorated: FunctionAgent(decorated, name)


async def call_optional(agent: AgentLike, name: str) -> None:
    """Call a method that an agent may have, plain or async: ``setup`` or ``aclose``.

    Args:
        agent: Which.
        name: The method's.
    """
    method = cast("Callable[[], object] | None", getattr(agent, name, None))
    if callable(method):
        result = method()
        if isawaitable(result):
            await result
