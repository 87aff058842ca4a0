"""An answer that has begun: what goes on before that costs nothing afterwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from typing import Protocol, TypeAlias

from sentient_cli.llm.assembly import truncated
from sentient_cli.llm.call import Call
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Chunk

__all__ = ["Opened", "Opening", "opened"]

Opened: TypeAlias = tuple[Chunk, AsyncGenerator[Chunk, None]]
"""The first chunk and the others. Whoever gets it closes it."""


class Opening(Protocol):
    """What asks until an answer begins, and then stands in nobody's way: a chunk passes one layer less."""

    def open(self, request: Request, call: Call) -> Coroutine[None, None, Opened]:
        """Ask.

        Raises:
            ProviderError: no answer began.
        """
        ...


async def opened(source: AsyncGenerator[Chunk, None]) -> Opened:
    """Wait for the first chunk of an answer. If there is none, the answer is closed.

    Args:
        source: All chunks.

    Raises:
        ProviderError: the answer failed, or ended without a chunk.
    """
    try:
        return await anext(source), source
    except StopAsyncIteration:
        raise truncated("", "") from None
    except BaseException:
        await source.aclose()
        raise
