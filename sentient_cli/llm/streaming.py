"""The stream that an agent reads: text by default, chunks and the whole answer on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from types import TracebackType
from typing import Self

import msgspec

from sentient_cli.errors import AnswerRestartedError, CredentialNotFoundError, ProviderError, SentientError
from sentient_cli.llm.assembly import Assembly, tier_told, truncated
from sentient_cli.llm.call import Answering, Call, Price
from sentient_cli.llm.hooks import as_json, failure_as_json
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.tokens import size_of
from sentient_cli.llm.types import Chunk, Completion, JsonValue, Usage

__all__ = ["KEYLESS_HINT", "LLMStream"]

KEYLESS_HINT = "The model `offline` needs no key and no network"


class LLMStream:
    """One answer as it comes, made by `LLMManager.stream`; the call begins when it is first read.

    Iterating gives text. Where a policy lets answers begin anew, `chunks` marks where that is; text alone cannot.
    Leaving ``async with``, or `aclose`, ends the call at the provider. It has one
    reader at a time.

    Args:
        answering: Who answers.
        request: What is asked.
        call: What happens to it.
        timeout: Seconds that it may take in all, from the moment that it is first read; None: no bound.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import generate, stream
        >>> async def main() -> str:
        ...     async with stream("What is 6 * 7?") as answer:
        ...         return "".join([text async for text in answer])
        >>> "42" in asyncio.run(main())
        True
    """

    __slots__ = ("__weakref__", "_call", "_chunks", "_read")

    def __init__(self, answering: Answering, request: Request, call: Call, timeout: float | None = None) -> None:
        self._call = _Call(answering, request, call, timeout)
        self._chunks = self._call.run()
        self._read: list[str] = []

    @property
    def metadata(self) -> Mapping[str, str | int | bool]:
        """What is known now, ready for an event: provider, model, attempts; at the end tokens and finish_reason."""
        return self._call.metadata()

    def chunks(self) -> AsyncIterator[Chunk]:
        """The pieces that were not read yet, with tool calls, usage and the reason of the end.

        Raises:
            ProviderError: the call failed; it carries the text so far.
        """
        return self._chunks

    async def completion(self) -> Completion:
        """Read the rest and give the whole answer. May be asked again.

        Raises:
            ProviderError: the call failed or was closed early; it carries the text so far.
        """
        self._call.is_read_whole()
        async for _ in self._chunks:
            pass
        return self._call.result()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for chunk in self._chunks:
            if chunk.restarted and self._read:
                read, self._read = self._read, []
                raise _restarted(self._call.metadata(), "".join(read))
            if chunk.text:
                self._read.append(chunk.text)
                return chunk.text
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the call. May be called twice, and after the end."""
        await self._chunks.aclose()

    async def __aenter__(self) -> Self:
        return self

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Coroutine[None, None, None]:
        return self._chunks.aclose()


def _restarted(known: Mapping[str, str | int | bool], void: str) -> AnswerRestartedError:
    return AnswerRestartedError(
        "The answer begins anew, since whoever gave it failed",
        why="The text that was read so far is void",
        fix="Read on for the new answer, use `response.stream_llm`, or choose another policy than `restart`",
        provider=str(known["provider"]),
        partial_text=void,
    )


class _Call(msgspec.Struct, eq=False):
    # Apart from LLMStream so that the generator does not hold the stream: a stream that is dropped closes its call.

    answering: Answering
    request: Request
    call: Call
    timeout: float | None
    assembly: Assembly = msgspec.field(default_factory=Assembly)
    has_begun: bool = False
    outcome: str = "cancelled"
    error: SentientError | None = None

    def is_read_whole(self) -> None:
        """Nobody reads pieces of it any more; if none was read yet, it may begin anew unseen."""
        self.call.is_whole = self.call.is_whole or not self.has_begun

    async def run(self) -> AsyncGenerator[Chunk, None]:
        self._begin()
        recorder = self.call.recorder
        add, record = self.assembly.add, recorder.chunk if recorder.enabled else None
        try:
            source = self.answering.stream(self.request, self.call)
            try:
                async for chunk in source:
                    add(chunk)
                    if record is not None:
                        record(chunk)
                    yield chunk
            except BaseException:  # what came to its end is closed
                await source.aclose()
                raise
            if self.assembly.finish_reason is None:
                raise truncated(self.call.provider, self.assembly.text)  # noqa: TRY301 - as any other failure
            self.outcome = "done"
        except SentientError as error:
            self._fail(error)
            raise
        except Exception:
            self.outcome = "error"
            raise
        finally:
            if self.outcome == "cancelled" and self.assembly.finish_reason is not None:
                self.outcome = "done"  # closed after the terminal marker: nothing is missing
            self._end()

    def _begin(self) -> None:
        self.has_begun = True
        request, call = self.request, self.call
        if self.timeout is not None:
            call.deadline, call.given = asyncio.get_running_loop().time() + self.timeout, self.timeout
        if call.recorder.enabled:
            call.recorder.begin()
            asked: dict[str, JsonValue] = {
                "provider": call.provider,
                "model": call.model,
                "messages": as_json(request.messages),
                "parameters": as_json(request.parameters),
                "tools": as_json(request.tools if call.tools is None else call.tools),
            }
            call.recorder.tell("llm.request", asked)

    def _fail(self, error: SentientError) -> None:
        self.outcome = "error"
        self.error = error
        if isinstance(error, ProviderError):
            error.provider = error.provider or self.call.provider
            error.partial_text = self.assembly.text
        elif isinstance(error, CredentialNotFoundError) and "offline" not in error.fix:
            error.fix = f"{error.fix.rstrip('.')}. {KEYLESS_HINT}" if error.fix else KEYLESS_HINT

    def _end(self) -> None:
        call, recorder, assembly = self.call, self.call.recorder, self.assembly
        if self.outcome != "done" or call.used is not None:
            assembly.usage = self._used()
        usage = assembly.usage
        if assembly.extra is not None and not call.splices:  # else what was told is that of the attempt before
            call.tier = tier_told(assembly.extra) or call.tier
        if call.price is not None and call.cost is None:
            self._count_cost(call.price, usage)
        if not recorder.enabled:
            return
        recorder.tell("llm.usage", msgspec.to_builtins(usage))
        data: dict[str, JsonValue] = {
            "outcome": self.outcome,
            "provider": call.provider,
            "model": call.model,
            "finish_reason": assembly.finish_reason,
            "attempts": call.attempts,
            "failovers": call.failovers,
            "cost": call.cost,
            "cached": call.cached,
            "degraded": call.degraded,
        }
        if call.tier is not None:
            data["tier"] = call.tier
        if call.wasted is not None:
            data["wasted"] = as_json(call.wasted)
        if call.notices:
            data["notices"] = [*call.notices]
        if self.error is not None:
            data["error"] = failure_as_json(self.error)
        recorder.tell("llm.finished", data)

    def _used(self) -> Usage:
        """The tokens of the attempt that the call ended with; what others took is wasted, and counted apart."""
        call, assembly = self.call, self.assembly
        if call.used is not None:
            return call.used
        if self.outcome == "error":
            return Usage()
        if call.cost is not None or not (written := _size_of(assembly)):
            return assembly.usage
        return wasted_usage(self.request, assembly.usage, written)

    def _count_cost(self, price: Price, usage: Usage) -> None:
        call = self.call
        if usage.total is None:
            own = None if self.outcome == "done" else 0.0  # an answer has its price, and what never came has none
        else:
            own = price(call.provider, call.model, usage, call.tier)
        call.cost = None if own is None or call.wasted_cost is None else own + call.wasted_cost

    def result(self) -> Completion:
        if self.error is not None:
            raise self.error
        call = self.call
        if self.outcome != "done":
            raise ProviderError(
                "The stream was closed before its end",
                fix="Read it to its end before closing it",
                provider=call.provider,
                partial_text=self.assembly.text,
            )
        return self.assembly.completion(
            call.provider,
            call.model,
            attempts=call.attempts,
            failovers=call.failovers,
            cost=call.cost,
            degraded=call.degraded,
            cached=call.cached,
            notices=tuple(call.notices),
        )

    def metadata(self) -> dict[str, str | int | bool]:
        assembly, call = self.assembly, self.call
        known: dict[str, str | int | bool] = {
            "provider": call.provider,
            "model": call.model,
            "attempts": max(call.attempts, 1),
            "failovers": call.failovers,
        }
        if assembly.texts:
            known["is_first_chunk"] = assembly.texts == 1
        if assembly.usage.output is not None:
            known["tokens"] = assembly.usage.output
        if assembly.finish_reason is not None:
            known["finish_reason"] = assembly.finish_reason
        return known


def _size_of(answer: Assembly) -> int:
    calls = "".join(call.name + call.arguments for call in answer.tool_calls)
    return size_of(answer.text + calls + "".join(part.text for part in answer.thinking) + answer.refusal)
