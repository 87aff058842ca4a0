"""What a provider promises about the calls that do not come to their end: closed, cancelled, failed."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable
from contextlib import aclosing

from sentient_cli.errors import ConfigError, ProviderError
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.types import Completion
from sentient_cli.testing.conformance.subject import Promise, Subject, expect, opened, read

__all__ = ["ENDS", "fails_with_our_errors", "shows_no_secret"]

_TURNS = 20
"""Turns of the event loop that a task on its way out gets."""


async def frees_a_closed_call(subject: Subject) -> None:
    """Closing a stream, begun or not, ends its call, is no error, and leaves the next call alone."""
    async with opened(subject) as provider:
        await provider.initialize()
        await provider.stream(subject.request(provider)).aclose()
        stream = provider.stream(subject.request(provider))
        await anext(stream)
        await stream.aclose()
        expect([chunk async for chunk in stream] == [], "a closed stream goes on")
        await _expect_at_rest(provider, subject)


async def _expect_at_rest(provider: LLMProvider, subject: Subject) -> None:
    metrics = provider.metrics()
    expect(metrics.active == 0, f"{metrics.active} calls are still active")
    expect(metrics.errors == 0, "it is counted as an error")
    expect(bool(await read(provider, subject.request(provider))), "the next call gives nothing")


async def ends_when_cancelled(subject: Subject) -> None:
    """A call whose task is cancelled ends there and then; that is no error, and the next call works."""
    async with opened(subject) as provider:
        await provider.initialize()
        request, begun = subject.request(provider), asyncio.Event()

        async def stream() -> None:
            async with aclosing(provider.stream(request)) as chunks:
                async for _ in chunks:
                    begun.set()

        async def generate() -> None:
            await provider.generate(request)

        await _cancel(asyncio.create_task(stream()), subject, begun.wait())
        await _cancel(asyncio.create_task(generate()), subject, asyncio.sleep(0))
        await _expect_at_rest(provider, subject)


async def _cancel(task: asyncio.Task[None], subject: Subject, ready: Awaitable[object]) -> None:
    waiter = asyncio.ensure_future(ready)
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if task.cancel():  # else it had ended before
        await asyncio.wait({task}, timeout=subject.patience / 2)
        expect(task.done(), "it goes on when it is cancelled")
        expect(task.cancelled(), "it swallows the cancellation")


async def leaves_nothing_behind(subject: Subject) -> None:
    """After `aclose` no task of it is left, whether its streams were read to the end or closed before."""
    before = asyncio.all_tasks()
    async with opened(subject) as provider:
        await read(provider, subject.request(provider))
        async with aclosing(provider.stream(subject.request(provider))) as stream:
            await anext(stream)
    left = asyncio.all_tasks() - before
    for _ in range(_TURNS):
        left = {task for task in left if not task.done()}
        await asyncio.sleep(0)
    expect(not left, f"tasks are left: {', '.join(sorted(task.get_name() for task in left))}")


async def fails_with_our_errors(subject: Subject) -> None:
    """A call that fails raises a `ProviderError` or a `ConfigError`, is counted, and leaves nothing open."""
    async with opened(subject, subject.failing) as provider:
        request = subject.request(provider)
        for call in (lambda: read(provider, request), lambda: _generate(provider, request)):
            try:
                await call()
            except ProviderError as error:
                named = error.provider in {"", provider.provider_id}
                expect(named, f"the error is of {error.provider!r}")
                expect(bool(error.what), "the error does not say what happened")
            except ConfigError:
                continue  # such as no key: the call did not begin
            except Exception as error:
                raise AssertionError(f"{type(error).__name__} is none of our errors") from error
            else:
                raise AssertionError("it does not fail, or ends its stream as if nothing were missing")
        expect(provider.metrics().active == 0, "the call that failed is still active")


async def shows_no_secret(subject: Subject) -> None:
    """Its key is neither in what its settings look like nor in an error, its causes and their tracebacks included."""
    async with opened(subject, subject.failing) as provider:
        shown = {"what it looks like": repr(provider), "its settings": repr(provider.config)}
        try:
            await read(provider, subject.request(provider))
        except Exception as error:  # noqa: BLE001 - of which kind it is, another check sees
            shown["an error"] = "".join(traceback.format_exception(error)) + repr(vars(error))
    for place, text in shown.items():
        expect(subject.secret not in text, f"the key is in {place}")


async def _generate(provider: LLMProvider, request: Request) -> Completion:
    await provider.initialize()
    return await provider.generate(request)


ENDS: tuple[Promise, ...] = (
    frees_a_closed_call,
    ends_when_cancelled,
    leaves_nothing_behind,
    fails_with_our_errors,
    shows_no_secret,
)
