"""One attempt: a provider, asked once, within its time, up to the mark that says that nothing is missing."""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import AsyncGenerator, Callable
from typing import Final

from sentient_cli.errors import ProviderError
from sentient_cli.llm.call import Call
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.breaking import Guard
from sentient_cli.llm.resilience.deadlines import Deadlines, Watch
from sentient_cli.llm.resilience.gate import Gate
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.types import Chunk

__all__ = ["Attempt"]

AFTER_END: Final = 1.0
"""Seconds in which something may come after the end of an answer: usage does."""


class Attempt:
    """Asks a provider once. Nothing is given on before there is content, and an error after the end is none.

    Args:
        provider: Who is asked.
        guard: The breakers of its models.
        deadlines: How long it may take, at this moment.
    """

    __slots__ = ("_deadlines", "_guard", "_id", "_provider")

    def __init__(self, provider: LLMProvider, guard: Guard, deadlines: Callable[[], Deadlines]) -> None:
        self._provider = provider
        self._id = provider.provider_id
        self._guard = guard
        self._deadlines = deadlines

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:  # noqa: C901, PLR0912, PLR0915 - each generator more costs each chunk
        """Ask.

        Raises:
            CircuitOpenError: the model rests.
            ProviderError: of the class that fits, with the provider's id.
            ConfigError: the provider lacks what it needs.
        """
        breaker, ticket = self._guard.enter(request.model, rescue=call.is_rescue)
        outcome: ProviderError | bool = False
        late: ProviderError | None = None
        gate, watch = Gate(call), self._begin(request.model, call)
        try:
            await self._provider.initialize()
            source = self._provider.stream(request)
            try:
                await gate.wait(source, self._id)
                watch.begun()
                for held in gate.held:
                    yield held
                is_short = gate.is_finished  # microseconds count from here on
                if watch.is_over and not is_short:
                    async for chunk in source:
                        if chunk.finish_reason is None and chunk.extra is None:
                            yield chunk
                            continue
                        yield gate.seen(chunk)
                        if gate.is_finished:
                            break
                elif not is_short and not watch.resume():
                    async for chunk in source:
                        watch.task = None
                        yield chunk if chunk.finish_reason is None and chunk.extra is None else gate.seen(chunk)
                        watch.task = current_task(watch.loop)
                        if watch.expired or gate.is_finished:
                            break
                if gate.is_finished or watch.expired:
                    # All is said, or the time was over while the reader was busy: only what is there already counts.
                    failure = await self._drain(source, gate, watch)
                    late = failure if watch.expired else None
                    for chunk in gate.late:
                        yield chunk
                    gate.fail(failure)
                gate.end(self._id)
            finally:
                await source.aclose()
        except ProviderError as error:
            outcome = False if error is late else error  # who reads slowly is no failure of the provider
            self._failed(error, gate, request, call)
        except asyncio.CancelledError:
            if not watch.interrupted():
                self._left(gate, request, call)
                raise
            outcome = watch.error(self._id)
            self._failed(outcome, gate, request, call)
        finally:
            watch.close()
            self._guard.leave(request.model, breaker, ticket, gate.is_finished or outcome)

    async def _drain(self, source: AsyncGenerator[Chunk, None], gate: Gate, watch: Watch) -> ProviderError | None:
        """Take what there is already, or comes within a moment; give the failure that ended it, if one did."""
        watch.last(AFTER_END if gate.is_finished else 0.0)
        try:
            async for chunk in source:
                gate.late.append(gate.seen(chunk))
                if watch.is_late():
                    watch.expired = True
                    break
        except ProviderError as error:
            return error
        except asyncio.CancelledError:
            if not watch.interrupted():
                raise
        watch.close()
        return watch.error(self._id) if watch.expired else None

    def _begin(self, model: str, call: Call) -> Watch:
        call.begin_attempt()
        call.recorder.tell("llm.attempt", {"provider": self._id, "model": model})
        limits = self._deadlines()
        return Watch(None if call.is_final else limits.first_token, limits.attempt, call.deadline)

    def _left(self, gate: Gate, request: Request, call: Call) -> None:
        """Nobody waits any more: what the provider spoke of before its first content is paid for."""
        if gate.held and not gate.is_open:
            call.used = wasted_usage(request, gate.usage)

    def _failed(self, error: ProviderError, gate: Gate, request: Request, call: Call) -> None:
        if gate.is_finished:
            return  # nothing is missing
        error.provider = error.provider or self._id
        if gate.held and not gate.is_open:
            call.waste(wasted_usage(request, gate.usage))
        raise error
