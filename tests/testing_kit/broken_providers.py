"""Providers that each break one promise of the protocol, and otherwise are the offline model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import ClassVar

import msgspec
from typing_extensions import override

from sentient_cli.errors import ConfigError, RateLimitError
from sentient_cli.llm import (
    Capabilities,
    Chunk,
    Completion,
    ModelInfo,
    ProviderMetrics,
    Request,
    TokenCount,
    Usage,
)
from sentient_cli.llm.offline import OfflineConfig, OfflineProvider
from sentient_cli.llm.types import JsonValue


class Slow(OfflineProvider):
    """A provider whose answers take a moment, so that they can be interrupted."""

    def __init__(self) -> None:
        super().__init__(config=OfflineConfig(tokens_per_second=2000))


class BadId(Slow):
    @property
    @override
    def provider_id(self) -> str:
        return "not an id"


class ChangingCapabilities(Slow):
    asked = 0

    @property
    @override
    def capabilities(self) -> Capabilities:
        self.asked += 1
        return Capabilities(max_input_tokens=self.asked)


class DoubleModels(Slow):
    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        return (await super().models()) * 2


class CountsNothing(Slow):
    @override
    async def count_tokens(self, request: Request) -> TokenCount:
        return TokenCount(0, exact=False)


class ReadyOnce(Slow):
    ready = False

    @override
    async def initialize(self) -> None:
        if self.ready:
            raise RuntimeError("there is a client already")
        self.ready = True


class ClosesOnce(Slow):
    closed = False

    @override
    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError("there is no client any more")
        self.closed = True


class EndsTwice(Slow):
    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        async for chunk in super().stream(request):
            yield chunk
        yield Chunk(finish_reason="stop")


class GoesOnAfterItsEnd(Slow):
    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        async for chunk in super().stream(request):
            yield chunk
        yield Chunk("and another thing", usage=Usage(input=1, output=100))


class SaysNothing(Slow):
    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        async for chunk in super().stream(request):
            yield msgspec.structs.replace(chunk, text="")


class NeverEnds(Slow):
    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        async for chunk in super().stream(request):
            yield chunk
        await asyncio.Event().wait()


class NoUsage(Slow):
    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        async with aclosing(super().stream(request)) as chunks:
            async for chunk in chunks:
                if chunk.usage is None:
                    yield chunk


class GeneratesForAnother(Slow):
    @override
    async def generate(self, request: Request) -> Completion:
        return msgspec.structs.replace(await super().generate(request), model="another")


class GeneratesAnother(Slow):
    @override
    async def generate(self, request: Request) -> Completion:
        return msgspec.structs.replace(await super().generate(request), text="something else")


class CountsLate(Slow):
    @override
    def metrics(self) -> ProviderMetrics:
        return msgspec.structs.replace(super().metrics(), active=0)


class KeepsClosedCalls(Slow):
    """Its calls are freed where they end, and nowhere else."""

    open = 0

    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        self.open += 1
        async for chunk in super().stream(request):
            yield chunk
        self.open -= 1

    @override
    def metrics(self) -> ProviderMetrics:
        return msgspec.structs.replace(super().metrics(), active=self.open)


class SwallowsCancellation(Slow):
    @override
    async def generate(self, request: Request) -> Completion:
        try:
            return await super().generate(request)
        except asyncio.CancelledError:
            return Completion(text="so what", finish_reason="stop", provider="offline", model=request.model)


class CountsCancellation(Slow):
    failed = 0

    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        try:
            async for chunk in super().stream(request):
                yield chunk
        except asyncio.CancelledError:
            self.failed += 1
            raise

    @override
    def metrics(self) -> ProviderMetrics:
        return msgspec.structs.replace(super().metrics(), errors=self.failed)


class OneAtATime(Slow):
    busy = False

    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        if self.busy:
            raise RateLimitError("One call at a time", provider="offline")
        self.busy = True
        try:
            async for chunk in super().stream(request):
                yield chunk
        finally:
            self.busy = False


class ChangesHalf(Slow):
    @override
    async def update_config(self, changes: Mapping[str, JsonValue]) -> None:
        for name, value in changes.items():
            await super().update_config({name: value})


class TakesEverything(Slow):
    @override
    async def update_config(self, changes: Mapping[str, JsonValue]) -> None:
        known = {name: changes[name] for name in changes if name == "timeout" and not isinstance(changes[name], str)}
        await super().update_config(known)


class LeavesATask(Slow):
    @override
    async def initialize(self) -> None:
        self.task = asyncio.create_task(asyncio.Event().wait(), name="a heartbeat")


class Failing(Slow):
    """A provider that fails as it should."""

    error: ClassVar[Exception] = RateLimitError("Too many requests", provider="offline")

    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        yield Chunk("One")
        raise self.error

    @override
    async def generate(self, request: Request) -> Completion:
        raise self.error


class WithoutKey(Failing):
    error: ClassVar[Exception] = ConfigError("There is no key")


class FailingWithForeignErrors(Failing):
    error: ClassVar[Exception] = KeyError("choices")


class ShowsItsKey(Failing):
    KEY: ClassVar[str] = "sk-shown-0001"

    @override
    def __repr__(self) -> str:
        return f"ShowsItsKey({self.KEY!r})"


class TellsItsKey(Failing):
    """A provider that says its key within what caused an error of ours."""

    @override
    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        yield Chunk("One")
        try:
            int(ShowsItsKey.KEY)
        except ValueError as error:
            raise RateLimitError("Too many requests", provider="offline") from error


class FailingForAnother(Failing):
    error: ClassVar[Exception] = RateLimitError("Too many requests", provider="another")
