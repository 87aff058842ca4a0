"""One attempt: a provider, asked once, within its time, up to the mark that says that nothing is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Final

from sentient_cli.errors import ProviderError, ProviderTimeoutError
from sentient_cli.llm.assembly import truncated
from sentient_cli.llm.call import Call
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.breaker import Breaker, Ticket
from sentient_cli.llm.resilience.breaking import Guard
from sentient_cli.llm.resilience.deadlines import Deadlines, Watch
from sentient_cli.llm.resilience.gate import is_content, without_notices
from sentient_cli.llm.resilience.opening import Asked, Opened
from sentient_cli.llm.resilience.silence import Streaming
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.types import Chunk, Usage
from sentient_cli.llm.wire.broken import UNSENT

__all__ = ["Attempt"]

AFTER_END: Final = 1.0
"""Seconds in which something may come after the end of an answer: usage does."""
FEW: Final = 4
"""Pieces that may come after the end unwatched, of a provider that waits for nothing too long by itself."""
MOST_HELD: Final = 256
"""Pieces without content that are held back; nobody sends that many."""


class Attempt:
    """Asks a provider once. Nothing is given on before there is content, and an error after the end is none.

    Args:
        provider: Who is asked.
        guard: The breakers of its models.
        deadlines: How long it may take.
    """

    __slots__ = ("_deadlines", "_provider", "ends_by_itself", "guard", "id")

    def __init__(self, provider: Streaming, guard: Guard, deadlines: Deadlines) -> None:
        self._provider = provider
        self.id: str = provider.provider_id
        self.ends_by_itself: bool = getattr(provider, "bounds_silence", False) is True
        self.guard: Guard = guard
        self._deadlines = deadlines

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Ask, once the first piece is read.

        Raises:
            CircuitOpenError: the model rests.
            ProviderError: of the class that fits, with the provider's id.
            ConfigError: the provider lacks what it needs.
        """
        return Asked(partial(self.open, request, call))

    async def open(self, request: Request, call: Call) -> Opened:
        """Ask, and wait until the answer begins.

        Raises:
            CircuitOpenError: the model rests.
            ProviderError: of the class that fits, with the provider's id.
            ConfigError: the provider lacks what it needs.
        """
        breaker, ticket = self.guard.enter(request.model, rescue=call.is_rescue)
        outcome: ProviderError | bool = False
        watch = self._begin(request.model, call)
        held: list[Chunk] | None = None
        try:
            try:
                await self._provider.initialize()
                held, source = [], self._provider.stream(request)
                answer = _Attempted(
                    held,
                    source,
                    attempt=self,
                    call=call,
                    model=request.model,
                    breaker=breaker,
                    ticket=ticket,
                    time=watch,
                )
                try:
                    async for chunk in source:
                        is_plain = chunk.finish_reason is None and chunk.extra is None
                        held.append(chunk if is_plain else answer.seen(chunk))
                        if chunk.text or is_content(chunk) or len(held) >= MOST_HELD:
                            watch.begun()
                            answer.watch = None if watch.is_over else watch
                            return answer
                    raise truncated(self.id, "")  # noqa: TRY301 - the source is closed on all ways
                except BaseException:
                    await source.aclose()
                    raise
            except ProviderError as error:
                outcome = self._failed(error, held, request, call)
                raise
            except asyncio.CancelledError as stop:
                is_sent = held is not None and UNSENT not in getattr(stop, "__notes__", ())
                if watch.interrupted():
                    late = watch.error(self.id)
                    late.may_cost = is_sent
                    outcome = self._failed(late, held, request, call)
                    raise outcome from None
                if is_sent and held is not None:
                    # Nobody waits any more: the request is paid for, and what was spoken of already.
                    call.used = wasted_usage(request, _usage_of(held))
                raise
        except BaseException:
            watch.close()
            self.guard.leave(request.model, breaker, ticket, outcome)
            raise

    def _begin(self, model: str, call: Call) -> Watch:
        call.begin_attempt()
        if call.recorder.enabled:
            call.recorder.tell("llm.attempt", {"provider": self.id, "model": model})
        limits = self._deadlines
        return Watch(None if call.is_final else limits.first_token, limits.attempt, call.deadline, call.given)

    def _failed(self, error: ProviderError, held: list[Chunk] | None, request: Request, call: Call) -> ProviderError:
        error.provider = error.provider or self.id
        # Who was asked and given up is at work all the same, as for a reader who leaves.
        is_left = held is not None and isinstance(error, ProviderTimeoutError) and error.may_cost
        if held or is_left:
            call.lost = wasted_usage(request, _usage_of(held or []))
            call.waste(call.lost)
        return error


class _Attempted(Opened, kw_only=True):
    """An answer of an attempt, which is to be complete, and whose end the breaker is told.

    Args:
        attempt: Who asks.
        call: Is told what providers have to say about it.
        model: The model, as the provider names it.
        breaker: Of the model.
        ticket: What the breaker gave.
        time: Bounds how long it takes.
        failure: Why it ended before its end; it is raised once all is given on that came before.
    """

    attempt: Attempt
    call: Call
    model: str
    breaker: Breaker
    ticket: Ticket
    time: Watch
    failure: ProviderError | None = None
    is_excused: bool = False

    def seen(self, chunk: Chunk) -> Chunk:
        if chunk.finish_reason is not None:
            self.is_finished = True
        return chunk if chunk.extra is None else without_notices(chunk, self.call)

    async def rest(self) -> Sequence[Chunk]:
        watch = self.time
        if not self.is_finished and not watch.expired:
            return ()
        late: list[Chunk] = []
        is_watched = self._bound(AFTER_END if self.is_finished else 0.0)
        try:
            async for chunk in self.source:
                late.append(self.seen(chunk))
                if is_watched and watch.is_late():
                    watch.expired = True
                    break
                if len(late) == FEW and not is_watched:
                    is_watched = self._bound(AFTER_END, at_once=True)
            else:
                if self.is_finished:
                    self._leave(True)
                    return late
        except ProviderError as error:
            self.failure = error
        except asyncio.CancelledError:
            if not watch.interrupted():
                raise
        if watch.expired:  # who reads slowly is no failure of the provider
            self.failure, self.is_excused = self.failure or watch.error(self.attempt.id), True
        return late

    def _bound(self, seconds: float, *, at_once: bool = False) -> bool:
        """Bound what comes now; whether it is: who sees to the end of an answer by itself is not watched at once."""
        # All is said, or the time was over while the reader was busy: only what is there already counts.
        if self.is_finished and self.time.is_over and self.attempt.ends_by_itself and not at_once:
            return False
        self.time.last(seconds)
        return True

    def check(self) -> None:
        if not self.is_finished:
            raise self.failure or truncated(self.attempt.id, "")

    def interrupted(self) -> ProviderTimeoutError | None:
        return self.time.error(self.attempt.id) if self.time.interrupted() else None

    async def close(self, failure: ProviderError | None = None) -> None:
        outcome: ProviderError | bool = False
        if self.is_finished:
            outcome = True
        elif failure is not None:
            failure.provider = failure.provider or self.attempt.id
            outcome = False if self.is_excused else failure
        try:
            await self.source.aclose()
        except asyncio.CancelledError:
            if not self.time.interrupted():
                raise
        finally:
            self._leave(outcome)

    def _leave(self, outcome: ProviderError | bool) -> None:
        self.is_closed = True
        self.time.close()
        self.attempt.guard.leave(self.model, self.breaker, self.ticket, outcome)


def _usage_of(chunks: list[Chunk]) -> Usage | None:
    """The tokens that the provider spoke of already."""
    return next((chunk.usage for chunk in reversed(chunks) if chunk.usage is not None), None)
