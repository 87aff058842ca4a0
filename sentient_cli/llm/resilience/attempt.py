"""One attempt: a provider, asked once, within its time, up to the mark that says that nothing is missing."""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import AsyncGenerator, Callable

from sentient_cli.errors import ProviderError
from sentient_cli.llm.call import Call
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.resilience.breaking import Guard
from sentient_cli.llm.resilience.deadlines import Deadlines, Watch
from sentient_cli.llm.resilience.gate import Gate
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.types import Chunk

__all__ = ["Attempt"]


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

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Ask.

        Raises:
            CircuitOpenError: the model rests.
            ProviderError: of the class that fits, with the provider's id.
            ConfigError: the provider lacks what it needs.
        """
        model = request.model
        breaker, ticket = self._guard.enter(model, rescue=call.is_rescue)
        outcome: ProviderError | bool = False
        gate, watch = Gate(call), self._begin(model, call)
        try:
            await self._provider.initialize()
            source = self._provider.stream(request)
            try:
                await gate.wait(source, self._id)
                watch.begun()
                for held in gate.held:
                    yield held
                # Microseconds count from here on.
                if watch.is_over:
                    async for chunk in source:
                        yield chunk if chunk.finish_reason is None and chunk.extra is None else gate.seen(chunk)
                else:
                    if watch.resume():
                        gate.fail(watch.error(self._id))
                    async for chunk in source:
                        watch.task = None
                        yield chunk if chunk.finish_reason is None and chunk.extra is None else gate.seen(chunk)
                        watch.task = current_task(watch.loop)
                        if watch.expired:
                            gate.fail(watch.error(self._id))
                gate.end(self._id)
            finally:
                await source.aclose()
        except ProviderError as error:
            outcome = error
            self._failed(error, gate, request, call)
        except asyncio.CancelledError:
            if not watch.interrupted():
                raise
            outcome = watch.error(self._id)
            self._failed(outcome, gate, request, call)
        finally:
            watch.close()
            self._guard.leave(model, breaker, ticket, gate.is_finished or outcome)

    def _begin(self, model: str, call: Call) -> Watch:
        call.begin_attempt()
        call.recorder.tell("llm.attempt", {"provider": self._id, "model": model})
        limits = self._deadlines()
        return Watch(None if call.is_final else limits.first_token, limits.attempt, call.deadline)

    def _failed(self, error: ProviderError, gate: Gate, request: Request, call: Call) -> None:
        if gate.is_finished:
            return  # nothing is missing
        error.provider = error.provider or self._id
        if gate.held and not gate.is_open:
            call.waste(wasted_usage(request, gate.usage))
        raise error
