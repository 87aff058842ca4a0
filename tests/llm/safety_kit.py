"""What answers for the tests of filters, and what is read of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from sentient_cli.clock import SystemClock
from sentient_cli.errors import ProviderError
from sentient_cli.llm import Chunk, Message, Request, Usage
from sentient_cli.llm.call import Call
from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.safety import Guarded

__all__ = ["ASKED", "END", "Saying", "call", "read", "shown", "texts"]

ASKED = Request(model="m", messages=(Message.user("Hello"),))
END = Chunk(finish_reason="stop", usage=Usage(input=1, output=2))


class Saying:
    """Answers with these pieces, and knows how far it was read and whether it was closed."""

    def __init__(self, *chunks: Chunk | ProviderError) -> None:
        self.chunks = chunks
        self.given = 0
        self.is_closed = False

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        try:
            for chunk in self.chunks:
                self.given += 1
                if isinstance(chunk, ProviderError):
                    raise chunk
                yield chunk
        finally:
            self.is_closed = True


def call() -> Call:
    return Call(Recorder((), SystemClock(), "call"))


async def read(guarded: Guarded, request: Request = ASKED, of: Call | None = None) -> list[Chunk]:
    async with aclosing(guarded.stream(request, of or call())) as chunks:
        return [chunk async for chunk in chunks]


def texts(*pieces: str) -> list[Chunk]:
    return [Chunk(piece) for piece in pieces]


def shown(chunks: Sequence[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)
