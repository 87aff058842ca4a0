"""Answers to questions that were asked before."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from typing import Protocol

import msgspec

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.deadlines import in_time
from sentient_cli.llm.resilience.keys import key_of
from sentient_cli.llm.types import Chunk

__all__ = ["AnswerCache", "Caching", "KeptAnswer", "MemoryCache", "found", "is_worth", "keep"]

MOST_BYTES = 1024 * 1024
"""Bytes of an answer that is kept."""

_logger = logging.getLogger(__name__)


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer as it streamed.

    Args:
        provider: The id of the provider that gave it.
        model: The model, as that provider names it.
        chunks: Its pieces.
        notices: What was not asked as it was wanted.

    Example:
        >>> KeptAnswer("offline", "echo", (Chunk("Hello"),)).notices
        ()
    """

    provider: str
    model: str
    chunks: tuple[Chunk, ...]
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, call: Call, chunks: Iterable[Chunk]) -> KeptAnswer:
        """What a call came to.

        Args:
            call: The call.
            chunks: The pieces of its answer.
        """
        lasting = tuple(notice for notice in call.notices if notice not in call.passing)
        return cls(call.provider, call.model, tuple(chunks), lasting)

    def give(self, call: Call) -> tuple[Chunk, ...]:
        """Its pieces, for a call that has this answer.

        Args:
            call: The call, which is told where the answer is from.
        """
        call.provider, call.model, call.cached, call.cost = self.provider, self.model, True, 0.0
        for notice in self.notices:
            call.note(notice)
        return self.chunks


class AnswerCache(Protocol):
    """Where answers are kept. What fails in it fails no call.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import Chunk, MemoryCache
        >>> cache: AnswerCache = MemoryCache()
        >>> asyncio.run(cache.put("a key", KeptAnswer("offline", "echo", (Chunk("Hello"),))))
        >>> kept = asyncio.run(cache.get("a key"))
        >>> kept and kept.chunks[0].text
        'Hello'
    """

    async def get(self, key: str) -> KeptAnswer | None:
        """The answer to a question, if it is there and not too old."""
        ...

    async def put(self, key: str, answer: KeptAnswer) -> None:
        """Keep an answer."""
        ...


class MemoryCache:
    """Answers in memory. The one that was not asked for longest goes first.

    Args:
        seconds: How long an answer is good.
        most: Bytes that all of them may take, about.
        clock: What the time is.
        count: How many there may be.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> from sentient_cli.llm.resilience.policies import ResiliencePolicies
        >>> async def main() -> bool:
        ...     policies = ResiliencePolicies(cache=MemoryCache())
        ...     manager = LLMManager([OfflineProvider()], default_model="offline", policies=policies)
        ...     await manager.generate("Hello")
        ...     return (await manager.generate("Hello")).cached
        >>> asyncio.run(main())
        True
    """

    def __init__(
        self,
        seconds: float = 3600.0,
        most: int = 64 * 1024 * 1024,
        clock: Clock | None = None,
        *,
        count: int = 10_000,
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._count = count
        self._clock = clock or SystemClock()
        self._size = 0
        self._answers: OrderedDict[str, tuple[int, int, KeptAnswer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def size(self) -> int:
        """Bytes, about."""
        return self._size

    async def get(self, key: str) -> KeptAnswer | None:
        """The answer to a question, if it is there and not too old."""
        kept = self._answers.get(key)
        if kept is None:
            return None
        if self._clock.now_ns() >= kept[0]:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return kept[2]

    async def put(self, key: str, answer: KeptAnswer) -> None:
        """Keep an answer; others go if there is no room."""
        size = _size(answer)
        if key in self._answers:
            self._drop(key)
        if size > self._most:
            return
        self._answers[key] = (self._clock.now_ns() + round(self._seconds * 1e9), size, answer)
        self._size += size
        while self._size > self._most or len(self._answers) > self._count:
            self._drop(next(iter(self._answers)))

    def clear(self) -> None:
        """Forget all."""
        self._answers.clear()
        self._size = 0

    def _drop(self, key: str) -> None:
        self._size -= self._answers.pop(key)[1]


class Caching:
    """Answers from the cache where it can, and keeps what is complete, unchanged by failures, and free of tool calls.

    Args:
        inner: Asks.
        cache: Where answers are kept.
    """

    __slots__ = ("_cache", "_inner")

    def __init__(self, inner: Answering, cache: AnswerCache) -> None:
        self._inner = inner
        self._cache = cache

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer, from the cache or not.

        Raises:
            ProviderError: it was not there, and the call failed.
        """
        return self._inner.stream(request, call) if call.options.cache is False else self._stream(request, call)

    async def _stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        cache, key = self._cache, key_of(request, call)
        kept = await found(cache, key, call)
        if kept is not None:
            for chunk in kept.give(call):
                yield chunk
            return
        chunks: list[Chunk] = []
        source = self._inner.stream(request, call)
        try:
            async for chunk in source:
                chunks.append(chunk)
                yield chunk
        finally:
            await source.aclose()
        if is_worth(chunks, call):
            await keep(cache, key, KeptAnswer.of(call, chunks), call)


async def found(cache: AnswerCache, key: str, call: Call) -> KeptAnswer | None:
    """The answer to a question, if it is there; a cache that fails, or takes longer than the call may, has none."""
    try:
        return await in_time(call.deadline, cache.get(key), "It did not answer in time")
    except Exception:
        _logger.warning("The cache of answers cannot be read", exc_info=True)
        return None


async def keep(cache: AnswerCache, key: str, answer: KeptAnswer, call: Call) -> None:
    """Keep an answer that is not too long; a cache that fails, or takes longer than the call may, keeps none."""
    if _size(answer) > MOST_BYTES:
        return
    try:
        await in_time(call.deadline, cache.put(key, answer), "It did not take it in time")
    except Exception:
        _logger.warning("The cache of answers cannot be written", exc_info=True)


def is_worth(chunks: list[Chunk], call: Call) -> bool:
    """Whether an answer can be given again: it is complete, unchanged by failures, and free of tool calls."""
    if call.failovers or call.restarts or call.splices or call.degraded:
        return False
    ends = [chunk.finish_reason for chunk in chunks if chunk.finish_reason is not None]
    return ends == ["stop"] and not any(chunk.tool_call is not None or chunk.refusal for chunk in chunks)


def _size(answer: KeptAnswer) -> int:
    # A chunk is some 150 bytes besides its text.
    thoughts = sum(len(chunk.thinking.text) for chunk in answer.chunks if chunk.thinking is not None)
    return thoughts + sum(150 + 2 * len(chunk.text) for chunk in answer.chunks)
