"""Reads a streamed answer: the one loop through which every piece of every answer goes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import NamedTuple

from sentient_cli.errors import ProviderError
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.types import Chunk
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.reading import Incoming

__all__ = ["MAX_WHOLE", "Asked", "answer"]

MAX_WHOLE = 64 * 1024 * 1024
"""Bytes of an answer that is not streamed."""


class Asked(NamedTuple):
    """An answer that has begun.

    Args:
        incoming: Its body.
        decoder: Takes it apart.
        streamed: Whether it comes piece by piece.
        refused: Told when it fails in the middle.
    """

    incoming: Incoming
    decoder: ChatDecoder
    streamed: bool
    refused: Callable[[ProviderError], None]


async def answer(ask: Callable[[], Awaitable[Asked]], meter: Meter) -> AsyncGenerator[Chunk, None]:
    """Ask, and give the answer piece by piece. Closing it frees the connection at once.

    Args:
        ask: Sends the request.
        meter: Counts the call.

    Raises:
        ProviderError: of the class that fits, with the text so far.
    """
    meter.begin()
    asked: Asked | None = None
    failed = False
    try:
        asked = await ask()
        if asked.streamed:
            feed = asked.decoder.feed
            while data := await _piece(asked):
                for chunk in feed(data):
                    yield chunk
        for chunk in await _last(asked):
            yield chunk
    except Exception as error:
        failed = True
        if asked is not None and isinstance(error, ProviderError):
            asked.refused(error)
        raise
    finally:
        if asked is not None:
            asked.incoming.close()
        meter.end(asked.decoder.usage if asked is not None else None, failed=failed)


async def _piece(asked: Asked) -> bytes:
    """What came since; nothing once all is said."""
    if asked.decoder.done:
        return b""
    try:
        return await asked.incoming.read_some()
    except ProviderError as error:
        if asked.decoder.finished:
            return b""  # the answer is complete, and only what comes after it was lost
        error.partial_text = asked.decoder.text
        raise


async def _last(asked: Asked) -> list[Chunk]:
    """What is left to say: all of it when it was not streamed."""
    if not asked.streamed:
        return asked.decoder.whole(await asked.incoming.read(MAX_WHOLE))
    if asked.decoder.finished:
        await asked.incoming.settle()
    return asked.decoder.end()
