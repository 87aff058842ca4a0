"""Reads streamed answers with a library of others, in an environment that has it. Part of `bench.llm_chunks`.

Arguments: the library, and where the server is. Each line that it is sent has how many answers to read and how many at
once; each line that it gives back has the CPU time a chunk in microseconds.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import sys
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, cast

CHUNKS = 500
Reader: TypeAlias = Callable[[], Awaitable[int]]


class _Delta(Protocol):
    content: str | None


class _Choice(Protocol):
    delta: _Delta


class _Chunk(Protocol):
    choices: list[_Choice]


class _Streamed(Protocol):
    def stream_text(self, *, delta: bool, debounce_by: float | None) -> AsyncIterable[str]: ...


class _Agent(Protocol):
    def run_stream(self, prompt: str) -> AbstractAsyncContextManager[_Streamed]: ...


def _named(module: str, name: str) -> Callable[..., object]:
    # Only the Python of the environment for comparisons has it.
    return cast("Callable[..., object]", vars(importlib.import_module(module))[name])


def _litellm(url: str) -> Reader:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network when imported
    ask = cast("Callable[..., Awaitable[AsyncIterable[_Chunk]]]", _named("litellm", "acompletion"))
    messages = [{"role": "user", "content": "Count."}]

    async def read() -> int:
        texts = 0
        stream = await ask(model="openai/small-1", api_base=url, api_key="sk-1", messages=messages, stream=True)
        async for chunk in stream:
            texts += bool(chunk.choices and chunk.choices[0].delta.content)
        return texts

    return read


def _pydantic_ai(url: str) -> Reader:
    provider = _named("pydantic_ai.providers.openai", "OpenAIProvider")(base_url=url, api_key="sk-1")
    model = _named("pydantic_ai.models.openai", "OpenAIChatModel")("small-1", provider=provider)
    agent = cast("_Agent", _named("pydantic_ai", "Agent")(model))

    async def read() -> int:
        texts = 0
        async with agent.run_stream("Count.") as answer:
            async for text in answer.stream_text(delta=True, debounce_by=None):
                texts += bool(text)
        return texts

    return read


class _AnyLLM(Protocol):
    def acompletion(
        self, *, model: str, messages: list[dict[str, str]], stream: bool
    ) -> Awaitable[AsyncIterable[_Chunk]]: ...


class _Creates(Protocol):
    def create(self, provider: str, *, api_key: str, api_base: str) -> _AnyLLM: ...


def _any_llm(url: str) -> Reader:
    create = cast("_Creates", _named("any_llm", "AnyLLM")).create
    client = create("openai", api_key="sk-1", api_base=url)
    messages = [{"role": "user", "content": "Count."}]

    async def read() -> int:
        texts = 0
        async for chunk in await client.acompletion(model="small-1", messages=messages, stream=True):
            texts += bool(chunk.choices and chunk.choices[0].delta.content)
        return texts

    return read


async def _measure(read: Reader, answers: int, at_once: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(answers // at_once):
        counts = await asyncio.gather(*(read() for _ in range(at_once)))
        assert set(counts) == {CHUNKS}, counts
    return (time.process_time() - began) / (answers // at_once * at_once * CHUNKS) * 1e6


async def main(library: str, url: str) -> None:
    read = {"litellm": _litellm, "pydantic-ai": _pydantic_ai, "any-llm": _any_llm}[library](url)
    await read()
    while line := await asyncio.to_thread(sys.stdin.readline):
        answers, at_once = map(int, line.split())
        print(f"{await _measure(read, answers, at_once):.3f}", flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*sys.argv[1:]))
