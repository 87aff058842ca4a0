"""A context manager around whatever answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.context.manager import ContextManager
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.deadlines import in_time
from sentient_cli.llm.types import Chunk

__all__ = ["ContextFor", "InContext"]

ContextFor: TypeAlias = Callable[[Request, Call], "ContextManager | None"]
"""Gives what a call needs: each model can read so much. None: nothing is known, so that nothing is left out."""


class InContext:
    """Answers as another does, and never asks it for more than the model can read.

    Args:
        inner: Who answers.
        manager: Leaves out what is too much; a notice says so. It may depend on the call: stood around one provider,
            each model gets what it can read.

    Example:
        >>> import asyncio
        >>> from sentient_cli.clock import SystemClock
        >>> from sentient_cli.llm import Message
        >>> from sentient_cli.llm.hooks import Recorder
        >>> class Counting:
        ...     async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        ...         yield Chunk(f"I was told {len(request.messages)} things")
        >>> async def main() -> tuple[str, list[str]]:
        ...     inside = InContext(Counting(), ContextManager(60, reserve=10))
        ...     talk = tuple(Message.user(f"This is thing number {number}") for number in range(9))
        ...     call = Call(Recorder((), SystemClock(), "call"))
        ...     chunks = [chunk async for chunk in inside.stream(Request(model="m", messages=talk), call)]
        ...     return chunks[0].text, call.notices
        >>> asyncio.run(main())
        ('I was told 4 things', ['5 messages were left out, since the conversation is too long for the model'])
    """

    __slots__ = ("_inner", "_manager")

    def __init__(self, inner: Answering, manager: ContextManager | ContextFor) -> None:
        self._inner = inner
        self._manager = manager

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing it frees what is held.

        Raises:
            ContextLengthExceededError: what has to stay is too long already.
            ProviderError: of the class that fits.
        """
        manager = self._manager if isinstance(self._manager, ContextManager) else self._manager(request, call)
        return self._inner.stream(request, call) if manager is None else self._fitted(manager, request, call)

    async def _fitted(self, manager: ContextManager, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        fitted = await in_time(call.deadline, manager.fit(request), "The conversation was not made to fit by then")
        if fitted.notice:
            call.note(fitted.notice)
        async with aclosing(self._inner.stream(fitted.request, call)) as chunks:
            async for chunk in chunks:
                yield chunk
