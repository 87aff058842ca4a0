"""What is checked of a provider, and how a promise is tried."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.types import Chunk, Message

__all__ = ["Promise", "Subject", "expect", "expect_answer", "expect_kind", "opened", "put_together", "read"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked; the arguments are those of `sentient_cli.testing.provider_checks`."""

    make: Callable[[], LLMProvider]
    failing: Callable[[], LLMProvider] | None
    prompt: str
    model: str | None
    at_once: int
    reports_usage: bool
    repeatable: bool
    secret: str
    patience: float

    def request(self, provider: LLMProvider) -> Request:
        """What a provider is asked."""
        model = self.model or provider.config.default_model
        return Request(model=model, messages=(Message.user(self.prompt),), call="conformance")


Promise: TypeAlias = Callable[[Subject], Coroutine[None, None, None]]
"""Tries one promise; the first line of its docstring says what is promised."""


def expect(kept: bool, otherwise: str) -> None:
    """Go on when a promise is kept.

    Raises:
        AssertionError: it is not; it says ``otherwise``.
    """
    if not kept:
        raise AssertionError(otherwise)


def expect_kind(value: object, kind: type[_T], what: str) -> _T:
    """The value, when it is of its kind.

    Raises:
        AssertionError: it is not.
    """
    if not isinstance(value, kind):
        raise AssertionError(f"{what} is {type(value).__name__}, not {kind.__name__}")  # noqa: TRY004 - no argument
    return value


@asynccontextmanager
async def opened(subject: Subject, make: Callable[[], LLMProvider] | None = None) -> AsyncGenerator[LLMProvider]:
    """A new provider, closed at the end."""
    provider = (make or subject.make)()
    try:
        yield provider
    finally:
        await provider.aclose()


async def read(provider: LLMProvider, request: Request) -> list[Chunk]:
    """Ask a provider and read its stream to the end."""
    await provider.initialize()
    async with aclosing(provider.stream(request)) as stream:
        return [chunk async for chunk in stream]


def put_together(chunks: list[Chunk]) -> Assembly:
    """The answer that chunks make."""
    assembly = Assembly()
    for chunk in chunks:
        assembly.add(chunk)
    return assembly


def expect_answer(text: str, calls: int) -> None:
    """Go on when an answer has a text, or asks for a tool.

    Raises:
        AssertionError: it has neither.
    """
    expect(bool(text) or calls > 0, "the answer is empty")
