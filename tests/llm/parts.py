"""What the tests of the LLM layer share: a clock that does not wait, a hook that keeps records, a plain provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from sentient_cli.llm import (
    CallHook,
    CallRecord,
    Capabilities,
    Chunk,
    Completion,
    LLMManager,
    LLMProvider,
    Message,
    ModelInfo,
    OfflineProvider,
    Parameters,
    ProviderConfig,
    ProviderMetrics,
    Request,
    TokenCount,
    ToolSpec,
)
from sentient_cli.llm.assembly import collect
from sentient_cli.llm.offline import Script, parse_script
from sentient_cli.llm.types import JsonValue

DAY_NS = 1_763_769_600 * 10**9  # 2025-11-22


class StepClock:
    """A clock whose sleeping moves the time and waits for nothing."""

    def __init__(self, now_ns: int = DAY_NS) -> None:
        self.time = now_ns
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += round(seconds * 1e9)
        await asyncio.sleep(0)


class Records:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def on_record(self, record: CallRecord) -> None:
        self.records.append(record)

    @property
    def kinds(self) -> list[str]:
        return [record.kind for record in self.records]

    def last(self) -> dict[str, JsonValue]:
        return self.records[-1].data


class PlainProvider:
    """A third party's provider: plays given chunks, raises a given error, and counts what is open."""

    def __init__(
        self, chunks: Sequence[Chunk] = (), *, name: str = "plain", error: Exception | None = None, hang: bool = False
    ) -> None:
        self._chunks = chunks
        self._name = name
        self._error = error
        self._hang = hang
        self.initialize_error: Exception | None = None
        self.open = 0
        self.closed = 0

    @property
    def provider_id(self) -> str:
        return self._name

    @property
    def config(self) -> ProviderConfig:
        return ProviderConfig(default_model="standard")

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tools=True)

    async def initialize(self) -> None:
        if self.initialize_error is not None:
            raise self.initialize_error

    async def generate(self, request: Request) -> Completion:
        return await collect(self._name, request.model, self.stream(request))

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        self.open += 1
        try:
            for chunk in self._chunks:
                await asyncio.sleep(0)
                yield chunk
            if self._hang:
                await asyncio.Event().wait()
            if self._error is not None:
                raise self._error
        finally:
            self.open -= 1

    async def validate(self) -> None:
        return None

    async def models(self) -> tuple[ModelInfo, ...]:
        return ()

    async def count_tokens(self, request: Request) -> TokenCount:
        return TokenCount(0, exact=False)

    async def update_config(self, changes: Mapping[str, JsonValue]) -> None:
        return None

    def metrics(self) -> ProviderMetrics:
        return ProviderMetrics(active=self.open)

    async def aclose(self) -> None:
        self.closed += 1


def offline(script: Script | str | None = None, clock: StepClock | None = None) -> OfflineProvider:
    """The offline model on a clock of its own."""
    return OfflineProvider(parse_script(script) if isinstance(script, str) else script, clock=clock or StepClock())


def manager(*providers: LLMProvider, hooks: Sequence[CallHook] = (), default: str | None = None) -> LLMManager:
    """A manager whose first provider is the default."""
    return LLMManager(
        providers, default_model=default or providers[0].provider_id, hooks=list(hooks), clock=StepClock()
    )


def request(
    *said: str | Message, model: str = "assistant", parameters: Parameters | None = None, tools: Sequence[ToolSpec] = ()
) -> Request:
    """A request; strings are what the user says."""
    messages = tuple(Message.user(text) if isinstance(text, str) else text for text in said)
    return Request(model=model, messages=messages, parameters=parameters or Parameters(), tools=tuple(tools))
