"""The stream that an agent reads: text by default, chunks and the whole answer on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import TracebackType
from typing import Self

import msgspec

from sentient_cli.errors import AnswerRestartedError, CredentialNotFoundError, ProviderError, SentientError
from sentient_cli.llm.assembly import Assembly, tier_told, truncated
from sentient_cli.llm.call import Answering, Call
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

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _restarted(known: Mapping[str, str | int | bool], void: str) -> AnswerRestartedError:
    return AnswerRestartedError(
        "The answer begins anew, since whoever gave it failed",
        why="The text that was read so far is void",
        fix="Read on for the new answer, use `response.stream_llm`, or choose another policy than `restart`",
        provider=str(known["provider"]),
        partial_text=void,
    )


class _Call:
    # Apart from LLMStream so that the generator does not hold the stream: a stream that is dropped closes its call.

    __slots__ = (
        "_answering",
        "_assembly",
        "_call",
        "_error",
        "_has_begun",
        "_outcome",
        "_request",
        "_timeout",
    )

    def __init__(self, answering: Answering, request: Request, call: Call, timeout: float | None) -> None:
        self._answering = answering
        self._request = request
        self._call = call
        self._timeout = timeout
        self._assembly = Assembly()
        self._has_begun = False
        self._outcome = "cancelled"
        self._error: SentientError | None = None

    def is_read_whole(self) -> None:
        """Nobody reads pieces of it any more; if none was read yet, it may begin anew unseen."""
        self._call.is_whole = self._call.is_whole or not self._has_begun

    async def run(self) -> AsyncGenerator[Chunk, None]:
        self._begin()
        recorder = self._call.recorder
        add, record = self._assembly.add, recorder.chunk if recorder.enabled else None
        try:
            source = self._answering.stream(self._request, self._call)
            try:
                async for chunk in source:
                    add(chunk)
                    if record is not None:
                        record(chunk)
                    yield chunk
            finally:
                await source.aclose()
            self._check_end()
            self._outcome = "done"
        except SentientError as error:
            self._fail(error)
            raise
        except Exception:
            self._outcome = "error"
            raise
        finally:
            if self._outcome == "cancelled" and self._assembly.finish_reason is not None:
                self._outcome = "done"  # closed after the terminal marker: nothing is missing
            self._end()

    def _begin(self) -> None:
        self._has_begun = True
        request, call = self._request, self._call
        call.tier = request.parameters.service_tier
        call.recorder.begin()
        if self._timeout is not None:
            call.deadline = asyncio.get_running_loop().time() + self._timeout
        if call.recorder.enabled:
            asked: dict[str, JsonValue] = {
                "provider": call.provider,
                "model": call.model,
                "messages": as_json(request.messages),
                "parameters": as_json(request.parameters),
                "tools": as_json(request.tools if call.tools is None else call.tools),
            }
            call.recorder.tell("llm.request", asked)

    def _check_end(self) -> None:
        if self._assembly.finish_reason is None:
            raise truncated(self._call.provider, self._assembly.text)

    def _fail(self, error: SentientError) -> None:
        self._outcome = "error"
        self._error = error
        if isinstance(error, ProviderError):
            error.provider = error.provider or self._call.provider
            error.partial_text = self._assembly.text
        elif isinstance(error, CredentialNotFoundError) and "offline" not in error.fix:
            error.fix = f"{error.fix.rstrip('.')}. {KEYLESS_HINT}" if error.fix else KEYLESS_HINT

    def _end(self) -> None:
        call, recorder = self._call, self._call.recorder
        usage = self._assembly.usage = self._used()
        if not call.splices:  # else what was told is that of the attempt before
            call.tier = tier_told(self._assembly.extra) or call.tier
        self._count_cost(usage)
        if not recorder.enabled:
            return
        recorder.tell("llm.usage", msgspec.to_builtins(usage))
        data: dict[str, JsonValue] = {
            "outcome": self._outcome,
            "provider": call.provider,
            "model": call.model,
            "finish_reason": self._assembly.finish_reason,
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
        if self._error is not None:
            data["error"] = failure_as_json(self._error)
        recorder.tell("llm.finished", data)

    def _used(self) -> Usage:
        """The tokens of the attempt that the call ended with; what others took is wasted, and counted apart."""
        call, assembly = self._call, self._assembly
        if call.used is not None:
            return call.used
        if self._outcome == "error":
            return Usage()
        if self._outcome == "done" or call.cost is not None or not (written := _size_of(assembly)):
            return assembly.usage
        return wasted_usage(self._request, assembly.usage, written)

    def _count_cost(self, usage: Usage) -> None:
        call = self._call
        if call.price is None or call.cost is not None:
            return
        if usage.total is None:
            own = None if self._outcome == "done" else 0.0  # an answer has its price, and what never came has none
        else:
            own = call.price(call.provider, call.model, usage, call.tier)
        call.cost = None if own is None or call.wasted_cost is None else own + call.wasted_cost

    def result(self) -> Completion:
        if self._error is not None:
            raise self._error
        call = self._call
        if self._outcome != "done":
            raise ProviderError(
                "The stream was closed before its end",
                fix="Read it to its end before closing it",
                provider=call.provider,
                partial_text=self._assembly.text,
            )
        return self._assembly.completion(
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
        assembly, call = self._assembly, self._call
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
