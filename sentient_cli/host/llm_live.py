"""Asks servers what their models can do, before a call whose way depends on it: once each, and it is remembered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from typing import Final

from sentient_cli.errors import SentientError
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.provider import Request
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.types import Chunk

__all__ = ["Detected", "Detecting"]

_PATIENCE: Final = 5.0
"""Seconds that a server may take to tell."""
_AGAIN: Final = 60.0
"""Seconds after which one is asked again that did not tell."""
_MOST: Final = 1000


class Detected:
    """Which models were asked for already.

    Args:
        kinds: Providers whose servers tell, by id.
        now: Seconds that never go back.
    """

    def __init__(self, kinds: Collection[str], now: Callable[[], float] = time.monotonic) -> None:
        self._telling = frozenset(kinds)
        self._now = now
        self._asked: dict[str, float] = {}

    def unknown(self, target: Target) -> bool:
        """Whether a model is worth a question.

        Args:
            target: The model.
        """
        return target.provider.provider_id in self._telling and self._now() >= self._asked.get(target.id, 0.0)

    async def ask(self, target: Target) -> None:
        """Have a provider find out; what goes wrong, the call itself tells.

        Args:
            target: The model.
        """
        if len(self._asked) >= _MOST:
            self._asked.clear()
        self._asked[target.id] = self._now() + _AGAIN
        provider = target.provider
        if not isinstance(provider, LazyProvider):
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await provider.detect(target.model)
        except (SentientError, TimeoutError):
            return
        self._asked[target.id] = float("inf")


class Detecting:
    """Answers as another does, once it is known what those can that may be asked.

    Args:
        inner: Who answers.
        detected: What is known already.
        manager: Whose models they are.
        always: Whether the size of what a model can read matters, and so each call.
    """

    __slots__ = ("_always", "_detected", "_inner", "_manager")

    def __init__(
        self, inner: Answering, detected: Detected, manager: Callable[[], LLMManager], *, always: bool
    ) -> None:
        self._inner = inner
        self._detected = detected
        self._manager = manager
        self._always = always

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing it frees what is held.

        Raises:
            ProviderError: of the class that fits.
        """
        if not (self._always or request.tools or request.output is not None or _has_parts(request)):
            return self._inner.stream(request, call)
        unknown = [target for target in self._manager().targets(call.wanted) if self._detected.unknown(target)]
        return self._asking(unknown, request, call) if unknown else self._inner.stream(request, call)

    async def _asking(self, unknown: list[Target], request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        await asyncio.gather(*map(self._detected.ask, unknown))
        async with aclosing(self._inner.stream(request, call)) as chunks:
            async for chunk in chunks:
                yield chunk


def _has_parts(request: Request) -> bool:
    return any(not isinstance(message.content, str) for message in request.messages)
