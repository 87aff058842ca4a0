"""Reads a streamed answer: the one loop through which every piece of every answer goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final

from sentient_cli.errors import ProviderError
from sentient_cli.llm.types import Chunk
from sentient_cli.llm.wire.decoding import StreamDecoder
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.patience import Patience
from sentient_cli.llm.wire.reading import Incoming

__all__ = ["MAX_WHOLE", "Begun", "answer"]

MAX_WHOLE = 64 * 1024 * 1024
"""Bytes of an answer that is not streamed."""
AFTER_END: Final = 0.75
"""Seconds in which something may come after the end of an answer."""


class Begun:
    """An answer that has begun.

    Args:
        incoming: Its body.
        decoder: Takes it apart.
        streamed: Whether it comes piece by piece.
        resume: Takes up an answer whose body broke off, where it broke off; None: it cannot be, or not again.
        leave: Told when it is read no more, complete or not; must not wait for anything.
    """

    __slots__ = ("decoder", "incoming", "leave", "patience", "refused", "resume", "streamed", "until")

    def __init__(
        self,
        incoming: Incoming,
        decoder: StreamDecoder,
        streamed: bool,
        resume: Callable[[], Awaitable[Incoming | None]] | None = None,
        leave: Callable[[], None] | None = None,
    ) -> None:
        self.incoming: Incoming = incoming
        self.decoder: StreamDecoder = decoder
        self.streamed: bool = streamed
        self.until: float | None = None
        """When nothing more is waited for; None: the end was not there yet."""
        self.refused: Callable[[ProviderError], None] | None = None
        """Told when it fails in the middle."""
        self.resume: Callable[[], Awaitable[Incoming | None]] | None = resume
        self.leave: Callable[[], None] | None = leave
        self.patience: Patience = Patience(incoming.patience, self._stop)

    def _stop(self) -> None:
        self.incoming.close()

    def close(self) -> None:
        """It is read no more: free its connection at once."""
        self.patience.end()
        self.incoming.close()
        if self.leave is not None:
            self.leave()


async def answer(ask: Callable[[], Awaitable[Begun]], meter: Meter) -> AsyncGenerator[Chunk, None]:  # noqa: C901 - each layer costs each piece
    """Ask, and give the answer piece by piece. Closing it frees the connection at once.

    Args:
        ask: Sends the request.
        meter: Counts the call.

    Raises:
        ProviderError: of the class that fits, with the text so far.
    """
    meter.begin()
    begun: Begun | None = None
    failed = False
    try:
        begun = await ask()
        if begun.streamed:
            decoder, patience = begun.decoder, begun.patience
            feed = decoder.feed
            patience.begin()
            while True:
                broken: Exception | None = None
                try:  # without a layer between: each costs each piece
                    data = b"" if decoder.finished or decoder.done else await begun.incoming.readany()
                except Exception as error:  # noqa: BLE001 - sorted there
                    broken, data = error, b""
                if not data and not (data := await _otherwise(begun, broken)):
                    break
                if not (chunks := feed(data)):
                    continue
                patience.is_read = True
                for chunk in chunks:
                    yield chunk
                patience.is_read = False
                if chunks[-1].text or _brings(chunks):
                    patience.moved = True
        for chunk in await _last(begun):
            yield chunk
    except Exception as error:
        failed = True
        if begun is not None and begun.refused is not None and isinstance(error, ProviderError):
            begun.refused(error)
        raise
    finally:
        if begun is not None:
            begun.close()
        meter.end(begun.decoder.usage if begun is not None else None, failed=failed)


def _brings(chunks: Sequence[Chunk]) -> bool:
    """Whether there is something of the answer in them."""
    return any(one.text or one.tool_call or one.thinking or one.refusal or one.finish_reason for one in chunks)


async def _otherwise(begun: Begun, broken: Exception | None) -> bytes:
    """What came where nothing comes as usual; nothing once all is said.

    Args:
        begun: The answer.
        broken: Why the connection broke, if it did.

    Raises:
        ProviderError: there is no more of it, though there should be.
    """
    while not begun.decoder.done:
        if begun.decoder.finished:
            return await _tail(begun)
        failure = None if broken is None else begun.incoming.failure_of(broken)
        if begun.patience.renew():
            failure = begun.incoming.stalled()
        if failure is not None and not isinstance(failure, ProviderError):
            raise failure
        if not await _taken_up(begun):
            if failure is None:
                break
            failure.partial_text = begun.decoder.text
            raise failure
        try:
            if data := await begun.incoming.readany():
                return data
            broken = None
        except Exception as error:  # noqa: BLE001 - sorted above
            broken = error
    return b""


async def _tail(begun: Begun) -> bytes:
    """What comes after the end, such as the usage; nothing is missing without it, so it is not waited for long."""
    loop = asyncio.get_running_loop()
    if begun.until is None:
        begun.until = loop.time() + AFTER_END
    ending = loop.call_at(begun.until, begun.incoming.close)  # which ends the reading
    try:
        return await begun.incoming.read_some()
    except ProviderError:
        return b""
    finally:
        ending.cancel()


async def _taken_up(begun: Begun) -> bool:
    """Whether an answer that broke off goes on, in another body."""
    if begun.resume is None:
        return False
    begun.incoming.close()
    try:
        incoming = await begun.resume()
    except ProviderError:
        return False
    if incoming is None:
        return False
    begun.incoming = incoming
    return True


async def _last(begun: Begun) -> list[Chunk]:
    """What is left to say: all of it when it was not streamed."""
    if not begun.streamed:
        return begun.decoder.whole(await begun.incoming.read(MAX_WHOLE))
    if begun.decoder.finished:
        await begun.incoming.settle()
    return begun.decoder.end()
