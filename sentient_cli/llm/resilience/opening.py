"""An answer that has begun: what goes on before that costs nothing afterwards."""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Protocol

import msgspec

from sentient_cli.errors import ProviderError, ProviderTimeoutError
from sentient_cli.llm.assembly import truncated
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.deadlines import Watch
from sentient_cli.llm.types import Chunk

__all__ = ["Asked", "First", "Opened", "Opening", "opened"]


class Opened(msgspec.Struct, eq=False):
    """An answer that has begun. Whoever gets it reads it as `chunks` does, and closes it.

    Args:
        held: Its first pieces, one at least.
        source: The others, up to the end.
        watch: Bounds how long the source is waited for; None: nothing does.
        is_finished: Whether the mark was there that nothing is missing; only an attempt looks for it.
        is_closed: Whether it has come to its end by itself, and need not be closed.
    """

    held: list[Chunk]
    source: AsyncGenerator[Chunk, None]
    watch: Watch | None = None
    is_finished: bool = False
    is_closed: bool = False

    def seen(self, chunk: Chunk) -> Chunk:
        """Look at a piece that may be more than text, and give what of it goes on."""
        return chunk

    async def rest(self) -> Sequence[Chunk]:
        """What comes after the end, or was there already when the time was over."""
        return ()

    def check(self) -> None:
        """There is nothing more.

        Raises:
            ProviderError: something is missing.
        """

    def interrupted(self) -> ProviderTimeoutError | None:
        """What an interruption comes to, if it was the time that was over."""
        return None

    async def close(self, failure: ProviderError | None = None) -> None:
        """End it.

        Args:
            failure: Why it broke off.
        """
        del failure
        await self.source.aclose()

    async def chunks(self) -> AsyncGenerator[Chunk, None]:  # noqa: C901, PLR0912 - each generator more costs each chunk
        """All its pieces; it is closed with them.

        Raises:
            ProviderError: it broke off.
        """
        failure: ProviderError | None = None
        watch, is_short = self.watch, self.is_finished
        try:
            for chunk in self.held:
                yield chunk
            if not is_short and (watch is None or not watch.resume()):
                async for chunk in self.source:
                    if watch is not None:
                        watch.task = None
                    yield chunk if chunk.finish_reason is None and chunk.extra is None else self.seen(chunk)
                    if watch is not None:
                        watch.task = current_task(watch.loop)
                        if watch.expired:
                            break
                    if self.is_finished:
                        break
            for chunk in await self.rest():
                yield chunk
            self.check()
        except ProviderError as error:
            failure = error
            if not self.is_finished:
                raise
        except asyncio.CancelledError:
            failure = self.interrupted()
            if failure is None:
                raise
            if not self.is_finished:
                raise failure from None
        finally:
            if not self.is_closed:
                await self.close(failure)


class Asked(AsyncGenerator[Chunk, None]):
    """All pieces of an answer that is asked for when the first is read.

    Who would only read it to give it on has it opened instead: a chunk passes one layer less.

    Args:
        ask: Begins it.
    """

    __slots__ = ("_ask", "_chunks")

    def __init__(self, ask: Callable[[], Coroutine[None, None, Opened]]) -> None:
        self._ask = ask
        self._chunks: AsyncGenerator[Chunk, None] | None = None

    def open(self) -> Coroutine[None, None, Opened]:
        """Have it begun; it cannot be read here any more.

        Raises:
            ProviderError: no answer began.
        """
        return self._ask()

    def __anext__(self) -> Coroutine[None, None, Chunk]:
        """The next piece."""
        return self.asend(None)

    def asend(self, value: None, /) -> Coroutine[None, None, Chunk]:
        """The next piece."""
        chunks = self._chunks
        return self._first() if chunks is None else chunks.asend(value)

    async def _first(self) -> Chunk:
        self._chunks = _nothing()  # it is asked for once
        chunks = self._chunks = (await self._ask()).chunks()
        return await anext(chunks)

    async def athrow(
        self,
        kind: type[BaseException] | BaseException,
        value: object = None,
        traceback: TracebackType | None = None,
        /,
    ) -> Chunk:
        """Raise an error where it is read."""
        del traceback
        error = kind if isinstance(kind, BaseException) else value if isinstance(value, BaseException) else kind()
        if self._chunks is None:
            raise error
        return await self._chunks.athrow(error)

    async def aclose(self) -> None:
        """End it."""
        if self._chunks is not None:
            await self._chunks.aclose()


async def _nothing() -> AsyncGenerator[Chunk, None]:
    nothing: tuple[Chunk, ...] = ()
    for chunk in nothing:
        yield chunk


class First:
    """Opens what answers.

    Args:
        answering: What answers.
    """

    __slots__ = ("_answering",)

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def open(self, request: Request, call: Call) -> Coroutine[None, None, Opened]:
        """Ask.

        Raises:
            ProviderError: no answer began.
        """
        return opened(self._answering.stream(request, call))


class Opening(Protocol):
    """What asks until an answer begins, and then stands in nobody's way: a chunk passes one layer less."""

    def open(self, request: Request, call: Call) -> Coroutine[None, None, Opened]:
        """Ask.

        Raises:
            ProviderError: no answer began.
        """
        ...


def opened(source: AsyncGenerator[Chunk, None]) -> Coroutine[None, None, Opened]:
    """Wait until an answer begins. If it does not, it is closed.

    Args:
        source: All chunks.

    Raises:
        ProviderError: the answer failed, or ended without a chunk.
    """
    return source.open() if isinstance(source, Asked) else _opened(source)


async def _opened(source: AsyncGenerator[Chunk, None]) -> Opened:
    try:
        return Opened([await anext(source)], source)
    except StopAsyncIteration:
        raise truncated("", "") from None
    except BaseException:
        await source.aclose()
        raise
