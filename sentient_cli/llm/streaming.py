"""The stream that an agent reads: text by default, chunks and the whole answer on request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import TracebackType
from typing import Self

import msgspec

from sentient_cli.errors import CredentialNotFoundError, ProviderError, SentientError
from sentient_cli.llm.assembly import Assembly, truncated
from sentient_cli.llm.hooks import Recorder, as_json
from sentient_cli.llm.provider import LLMProvider, Request
from sentient_cli.llm.types import Chunk, Completion, JsonValue

__all__ = ["KEYLESS_HINT", "LLMStream"]

KEYLESS_HINT = "The model `offline` needs no key and no network"


class LLMStream:
    """One answer as it comes, made by `LLMManager.stream`; the call begins when it is first read.

    Iterating gives text. Leaving ``async with``, or `aclose`, ends the call at the provider. It has one
    reader at a time.

    Args:
        provider: Who answers.
        request: What is asked.
        recorder: Tells the hooks.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import generate, stream
        >>> async def main() -> str:
        ...     async with stream("What is 6 * 7?") as answer:
        ...         return "".join([text async for text in answer])
        >>> "42" in asyncio.run(main())
        True
    """

    def __init__(self, provider: LLMProvider, request: Request, recorder: Recorder) -> None:
        self._call = _Call(provider, request, recorder)
        self._chunks = self._call.run()

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
        async for _ in self._chunks:
            pass
        return self._call.result()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for chunk in self._chunks:
            if chunk.text:
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


class _Call:
    # Apart from LLMStream so that the generator does not hold the stream: a stream that is dropped closes its call.

    def __init__(self, provider: LLMProvider, request: Request, recorder: Recorder) -> None:
        self._provider = provider
        self._request = request
        self._recorder = recorder
        self._assembly = Assembly()
        self._attempts = 0
        self._outcome = "cancelled"
        self._error: SentientError | None = None

    async def run(self) -> AsyncGenerator[Chunk, None]:
        self._begin()
        try:
            await self._provider.initialize()
            source = self._provider.stream(self._request)
            try:
                async for chunk in source:
                    self._assembly.add(chunk)
                    self._recorder.chunk(chunk)
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
        request, recorder, provider = self._request, self._recorder, self._provider.provider_id
        if recorder.enabled:
            asked: dict[str, JsonValue] = {
                "provider": provider,
                "model": request.model,
                "messages": as_json(request.messages),
                "parameters": as_json(request.parameters),
                "tools": as_json(request.tools),
            }
            recorder.tell("llm.request", asked)
        self._attempts = recorder.attempt = 1
        recorder.tell("llm.attempt", {"provider": provider, "model": request.model})

    def _check_end(self) -> None:
        if self._assembly.finish_reason is None:
            raise truncated(self._provider.provider_id, self._assembly.text)

    def _fail(self, error: SentientError) -> None:
        self._outcome = "error"
        self._error = error
        if isinstance(error, ProviderError):
            error.provider = error.provider or self._provider.provider_id
            error.partial_text = error.partial_text or self._assembly.text
        elif isinstance(error, CredentialNotFoundError) and "offline" not in error.fix:
            error.fix = f"{error.fix.rstrip('.')}. {KEYLESS_HINT}" if error.fix else KEYLESS_HINT

    def _end(self) -> None:
        recorder = self._recorder
        if not recorder.enabled:
            return
        recorder.tell("llm.usage", msgspec.to_builtins(self._assembly.usage))
        data: dict[str, JsonValue] = {
            "outcome": self._outcome,
            "provider": self._provider.provider_id,
            "model": self._request.model,
            "finish_reason": self._assembly.finish_reason,
            "attempts": self._attempts,
            "failovers": 0,
        }
        if self._error is not None:
            data["error"] = {"code": self._error.code, "what": self._error.what}
        recorder.tell("llm.finished", data)

    def result(self) -> Completion:
        if self._error is not None:
            raise self._error
        if self._outcome != "done":
            raise ProviderError(
                "The stream was closed before its end",
                fix="Read it to its end before closing it",
                provider=self._provider.provider_id,
                partial_text=self._assembly.text,
            )
        return self._assembly.completion(self._provider.provider_id, self._request.model, attempts=self._attempts)

    def metadata(self) -> dict[str, str | int | bool]:
        assembly = self._assembly
        known: dict[str, str | int | bool] = {
            "provider": self._provider.provider_id,
            "model": self._request.model,
            "attempts": max(self._attempts, 1),
            "failovers": 0,
        }
        if assembly.texts:
            known["is_first_chunk"] = assembly.texts == 1
        if assembly.usage.output is not None:
            known["tokens"] = assembly.usage.output
        if assembly.finish_reason is not None:
            known["finish_reason"] = assembly.finish_reason
        return known
