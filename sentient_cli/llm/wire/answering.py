"""Reads a streamed answer: the one loop through which every piece of every answer goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, Protocol

from sentient_cli.errors import ProviderError
from sentient_cli.llm.types import Chunk, Usage
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.reading import Incoming

__all__ = ["MAX_WHOLE", "Asked", "Decoder", "answer"]

MAX_WHOLE = 64 * 1024 * 1024
"""Bytes of an answer that is not streamed."""
AFTER_END: Final = 0.75
"""Seconds in which something may come after the end of an answer."""


class Decoder(Protocol):
    """Takes a body apart into chunks: `ChatDecoder`, or one for another wire."""

    done: bool

    @property
    def text(self) -> str:
        """The text so far."""
        ...

    @property
    def usage(self) -> Usage | None:
        """The tokens, as far as they were told."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the answer is known to be complete."""
        ...

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next piece, and give what it says."""
        ...

    def whole(self, body: bytes) -> list[Chunk]:
        """Take an answer that was not streamed."""
        ...

    def end(self) -> list[Chunk]:
        """The body is over: give what was held."""
        ...


class Asked:
    """An answer that has begun.

    Args:
        incoming: Its body.
        decoder: Takes it apart.
        streamed: Whether it comes piece by piece.
        refused: Told when it fails in the middle.
        resume: Takes up an answer whose body broke off, where it broke off; None: it cannot be, or not again.
    """

    __slots__ = ("decoder", "incoming", "refused", "resume", "streamed", "until")

    def __init__(
        self,
        incoming: Incoming,
        decoder: Decoder,
        streamed: bool,
        refused: Callable[[ProviderError], None],
        resume: Callable[[], Awaitable[Incoming | None]] | None = None,
    ) -> None:
        self.incoming: Incoming = incoming
        self.decoder: Decoder = decoder
        self.streamed: bool = streamed
        self.until: float | None = None
        """When nothing more is waited for; None: the end was not there yet."""
        self.refused: Callable[[ProviderError], None] = refused
        self.resume: Callable[[], Awaitable[Incoming | None]] | None = resume


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
    if asked.decoder.finished:
        return await _tail(asked)
    try:
        data = await asked.incoming.read_some()
    except ProviderError as error:
        if await _taken_up(asked):
            return await _piece(asked)
        error.partial_text = asked.decoder.text
        raise
    if not data and await _taken_up(asked):
        return await _piece(asked)
    return data


async def _tail(asked: Asked) -> bytes:
    """What comes after the end, such as the usage; nothing is missing without it, so it is not waited for long."""
    if asked.until is None:
        asked.until = asyncio.get_running_loop().time() + AFTER_END
    try:
        async with asyncio.timeout_at(asked.until):
            return await asked.incoming.read_some()
    except (ProviderError, TimeoutError):
        return b""


async def _taken_up(asked: Asked) -> bool:
    """Whether an answer that broke off goes on, in another body."""
    if asked.resume is None:
        return False
    asked.incoming.close()
    try:
        incoming = await asked.resume()
    except ProviderError:
        return False
    if incoming is None:
        return False
    asked.incoming = incoming
    return True


async def _last(asked: Asked) -> list[Chunk]:
    """What is left to say: all of it when it was not streamed."""
    if not asked.streamed:
        return asked.decoder.whole(await asked.incoming.read(MAX_WHOLE))
    if asked.decoder.finished:
        await asked.incoming.settle()
    return asked.decoder.end()
