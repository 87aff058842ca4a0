"""The event stream of the Responses API, taken apart into chunks.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

import msgspec

from sentient_cli.errors import ProviderConnectionError, ProviderError
from sentient_cli.llm.assembly import truncated
from sentient_cli.llm.openai.responses_body import SEPARATOR
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk, FinishReason, JsonValue, ToolCallDelta, Usage
from sentient_cli.llm.wire.failures import Refusal, error_of
from sentient_cli.llm.wire.sse import EventDecoder, OversizedEventError

__all__ = ["ResponsesDecoder"]


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Fault(msgspec.Struct, gc=False):
    message: str | None = None
    code: str | None = None
    type: str | None = None
    reason: str | None = None


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    encrypted_content: str | None = None


class _Response(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    error: _Fault | None = None
    incomplete_details: _Fault | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    delta: str | dict[str, JsonValue] | None = None
    sequence_number: int | None = None
    output_index: int | None = None
    item: _Item | None = None
    response: _Response | None = None
    code: str | None = None
    message: str | None = None
    error: _Fault | None = None


_decode = msgspec.json.Decoder(_Event).decode


class ResponsesDecoder:
    """Takes the body of a streamed response apart, whatever the pieces in which it comes.

    Args:
        provider: Whose; errors name it.
        notices: What was not asked as it was wanted; told with the first chunk.
    """

    __slots__ = (
        "_calls",
        "_events",
        "_failure",
        "_finish",
        "_notices",
        "_provider",
        "_texts",
        "_told",
        "_usage",
        "done",
        "response_id",
        "sequence",
    )

    def __init__(self, provider: str, notices: list[str] | None = None) -> None:
        self._provider = provider
        self._notices = notices
        self._events = EventDecoder()
        self._texts: list[str] = []
        self._calls = 0
        self._told = False
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None
        self._failure: ProviderError | None = None
        self.done: bool = False
        """Whether all is said: what comes now is of no interest."""
        self.response_id: str | None = None
        """Names the response, by which it can be taken up again."""
        self.sequence: int = -1
        """The last event that came."""

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def usage(self) -> Usage | None:
        """The tokens, once they were told."""
        return self._usage

    @property
    def finished(self) -> bool:
        """Whether the answer is known to be complete."""
        return self._finish is not None

    def resume(self) -> None:
        """What comes now is another body, with the events after the last one."""
        self._events = EventDecoder()

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next piece, and give what it says. A failure is held until `end`: what came before it counts.

        Args:
            data: Bytes of the body.
        """
        chunks: list[Chunk] = []
        try:
            for event in self._events.feed(data):
                self._take(event.data, chunks)
        except OversizedEventError:
            self._fail(self._malformed("An event in its stream is larger than any that models send"))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            self._fail(self._malformed(f"A part of its answer cannot be read: {error}"))
        return chunks

    def whole(self, body: bytes) -> list[Chunk]:
        """There is none that was not streamed.

        Args:
            body: What came.

        Raises:
            ProviderConnectionError: always.
        """
        del body
        raise self._malformed("It does not stream")

    def end(self) -> list[Chunk]:
        """The body is over: give what was held.

        Raises:
            ProviderError: the answer is not complete, the provider told of an error, or cannot be understood.
        """
        chunks: list[Chunk] = []
        last = self._events.end()
        if last is not None and not self.done:
            chunks = self.feed(b"data: " + last.data + b"\n\n")
        if self._failure is not None:
            raise self._failure
        finish = self._finish
        if finish is None:
            raise truncated(self._provider, self.text)
        if finish == "stop" and self._calls:
            finish = "tool_call"
        return [*chunks, Chunk(usage=self._usage, finish_reason=finish)]

    def _take(self, data: bytes, chunks: list[Chunk]) -> None:
        if self.done:
            return
        event = _decode(data)
        if event.sequence_number is not None:
            if event.sequence_number <= self.sequence:
                return  # a response that was taken up again may repeat itself
            self.sequence = event.sequence_number
        kind, delta = event.type, event.delta
        if kind == "response.output_text.delta" and isinstance(delta, str):
            self._texts.append(delta)
            chunks.append(Chunk(delta))
        elif isinstance(delta, str):
            self._take_delta(event, delta, chunks)
        elif kind == "error":
            fault = event.error or _Fault(message=event.message, code=event.code)
            self._fail(self._refused(fault))
        elif event.response is not None:
            self._take_response(event, event.response, chunks)
        elif event.item is not None:
            self._take_item(event, event.item, chunks)

    def _take_delta(self, event: _Event, delta: str, chunks: list[Chunk]) -> None:
        if event.type == "response.function_call_arguments.delta":
            chunks.append(Chunk(tool_call=ToolCallDelta(event.output_index, arguments=delta)))
        elif event.type == "response.refusal.delta":
            chunks.append(Chunk(refusal=delta))
        elif event.type in {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}:
            chunks.append(Chunk(thinking=ThinkingPart(delta)))

    def _take_item(self, event: _Event, item: _Item, chunks: list[Chunk]) -> None:
        if item.type == "function_call" and event.type == "response.output_item.added":
            self._calls += 1
            delta = ToolCallDelta(event.output_index, item.call_id or item.id, item.name, item.arguments or "")
            chunks.append(Chunk(tool_call=delta))
        elif item.type == "reasoning" and event.type == "response.output_item.done" and item.encrypted_content:
            signature = f"{item.id or ''}{SEPARATOR}{item.encrypted_content}"
            chunks.append(Chunk(thinking=ThinkingPart(signature=signature)))

    def _take_response(self, event: _Event, response: _Response, chunks: list[Chunk]) -> None:
        self.response_id = response.id or self.response_id
        if not self._told:
            self._told = True
            notices: list[JsonValue] = [*(self._notices or ())]
            chunks.append(Chunk(model=response.model, extra={"notices": notices} if notices else None))
        if response.usage is not None:
            self._usage = _usage(response.usage)
        if event.type == "response.completed":
            self._finish, self.done = "stop", True
        elif event.type == "response.incomplete":
            reason = response.incomplete_details.reason if response.incomplete_details else None
            self._finish, self.done = ("content_filter" if reason == "content_filter" else "length"), True
        elif event.type in {"response.failed", "response.cancelled"}:
            self._fail(self._refused(response.error or _Fault(message=f"The response ended as {event.type!r}")))

    def _fail(self, failure: ProviderError) -> None:
        failure.partial_text = self.text
        self._failure = failure
        self.done = True

    def _refused(self, fault: _Fault) -> ProviderError:
        return error_of(self._provider, None, Refusal(fault.message or "", fault.type or "", fault.code or ""))

    def _malformed(self, why: str) -> ProviderConnectionError:
        return ProviderConnectionError(
            f"The answer of the provider {self._provider!r} is malformed",
            why=why,
            fix="Try again, and check its `base_url`",
            provider=self._provider,
            partial_text=self.text,
        )


def _usage(told: _Usage) -> Usage:
    read = (told.input_tokens_details.cached_tokens if told.input_tokens_details else None) or None
    reasoning = told.output_tokens_details.reasoning_tokens if told.output_tokens_details else None
    fresh = None if told.input_tokens is None else max(0, told.input_tokens - (read or 0))
    return Usage(input=fresh, cache_read=read, output=told.output_tokens, reasoning=reasoning)
