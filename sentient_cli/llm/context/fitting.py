"""A context manager around whatever answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.context.manager import ContextManager
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Chunk

__all__ = ["InContext"]


class InContext:
    """Answers as another does, and never asks it for more than the model can read.

    Args:
        inner: Who answers.
        manager: Leaves out what is too much; a notice says so.
    """

    def __init__(self, inner: Answering, manager: ContextManager) -> None:
        self._inner = inner
        self._manager = manager

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing it frees what is held.

        Raises:
            ContextLengthExceededError: what has to stay is too long already.
            ProviderError: of the class that fits.
        """
        fitted = await self._manager.fit(request)
        if fitted.notice:
            call.note(fitted.notice)
        async with aclosing(self._inner.stream(fitted.request, call)) as chunks:
            async for chunk in chunks:
                yield chunk
