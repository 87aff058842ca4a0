"""The event stream of the Responses API, taken apart into chunks.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from typing_extensions import override

from sentient_cli.errors import ProviderError
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk, FinishReason, JsonValue, ToolCallDelta, Usage
from sentient_cli.llm.wire.callplaces import CallPlaces
from sentient_cli.llm.wire.counts import plausible
from sentient_cli.llm.wire.decoding import StreamDecoder
from sentient_cli.llm.wire.failures import Refusal, error_of
from sentient_cli.llm.wire.sse import EventDecoder
from sentient_cli.llm.wire.thoughts import SEPARATOR

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
    service_tier: str | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    delta: str | dict[str, JsonValue] | None = None
    sequence_number: int | None = None
    output_index: int | None = None
    item_id: str | None = None
    item: _Item | None = None
    response: _Response | None = None
    code: str | None = None
    message: str | None = None
    error: _Fault | None = None
    logprobs: JsonValue = None


_decode = msgspec.json.Decoder(_Event).decode
_ENDS: Final = frozenset({f"response.{how}" for how in ("completed", "incomplete", "failed", "cancelled")})


class ResponsesDecoder(StreamDecoder):
    """Takes the body of a streamed response apart.

    Args:
        provider: Whose; errors name it.
        notices: What was not asked as it was wanted; told with the first chunk.
    """

    __slots__ = ("_begun", "_calls", "_declined", "_finish", "_whole", "over", "response_id", "sequence")

    def __init__(self, provider: str, notices: Sequence[str] | None = None) -> None:
        super().__init__(provider, notices)
        self._calls = CallPlaces()
        self._whole: set[int] = set()  # the calls whose arguments have begun to come
        self._begun = False
        self._finish: FinishReason = "stop"
        self._declined = False
        self.response_id: str | None = None
        """Names the response, by which it can be taken up again."""
        self.sequence: int = -1
        """The last event that came."""
        self.over: bool = False
        """Whether the provider said that it works on the response no more, however it ended."""

    def resume(self) -> None:
        """What comes now is another body, with the events after the last one."""
        self._events = EventDecoder()

    @override
    def whole(self, body: bytes) -> list[Chunk]:
        """There is none that was not streamed.

        Args:
            body: What came.

        Raises:
            ProviderConnectionError: always.
        """
        del body
        raise self._malformed("It does not stream")

    @override
    def _last(self) -> list[Chunk]:
        finish = "tool_call" if self._finish == "stop" and self._calls.count else self._finish
        if self._declined and finish == "stop" and not self._texts:
            finish = "content_filter"
        return [Chunk(usage=self.usage, finish_reason=finish)]

    @override
    def _take(self, data: bytes, chunks: list[Chunk]) -> None:
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeError) as error:
            event = self._mend(data, error, partial(msgspec.convert, type=_Event))
        if event.sequence_number is not None:
            if event.sequence_number <= self.sequence:
                return  # a response that was taken up again may repeat itself
            self.sequence = event.sequence_number
        kind, delta = event.type, event.delta
        if kind == "response.output_text.delta" and isinstance(delta, str):
            self._texts.append(delta)
            chunks.append(Chunk(delta))
            if event.logprobs and isinstance(event.logprobs, list):
                chunks.append(Chunk(extra={"logprobs": {"content": event.logprobs}}))  # as chat completions have them
        elif isinstance(delta, str):
            self._take_delta(event, delta, chunks)
        elif kind == "error":
            self.over = True
            fault = event.error or _Fault(message=event.message, code=event.code)
            raise self._refused(fault)
        elif event.response is not None:
            self._take_response(event, event.response, chunks)
        elif event.item is not None:
            self._take_item(event, event.item, chunks)

    def _take_delta(self, event: _Event, delta: str, chunks: list[Chunk]) -> None:
        if event.type == "response.function_call_arguments.delta":
            place = self._calls.find(event.output_index, event.item_id)
            if place is not None and delta:
                self._whole.add(place)
                chunks.append(Chunk(tool_call=ToolCallDelta(place, arguments=delta)))
        elif event.type == "response.refusal.delta":
            self._declined = True
            chunks.append(Chunk(refusal=delta))
        elif event.type in {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}:
            chunks.append(Chunk(thinking=ThinkingPart(delta)))

    def _take_item(self, event: _Event, item: _Item, chunks: list[Chunk]) -> None:
        if item.type == "function_call":
            self._take_call(event, item, chunks)
        elif item.type == "reasoning" and event.type == "response.output_item.done" and item.encrypted_content:
            signature = f"{item.id or ''}{SEPARATOR}{item.encrypted_content}"
            chunks.append(Chunk(thinking=ThinkingPart(signature=signature)))

    def _take_call(self, event: _Event, item: _Item, chunks: list[Chunk]) -> None:
        """The beginning of a call, or its end, which repeats the arguments: some servers tell them there alone."""
        arguments = item.arguments or ""
        place = None if event.type == "response.output_item.added" else self._calls.find(event.output_index, item.id)
        if place is None:
            place = self._calls.begin(event.output_index, item.id)
            chunks.append(Chunk(tool_call=ToolCallDelta(place, item.call_id or item.id, item.name, arguments)))
        elif place not in self._whole and arguments:
            chunks.append(Chunk(tool_call=ToolCallDelta(place, arguments=arguments)))
        else:
            return
        if arguments:
            self._whole.add(place)

    def _take_response(self, event: _Event, response: _Response, chunks: list[Chunk]) -> None:
        self.response_id = response.id or self.response_id
        if not self._begun:
            self._begun = True
            chunks.append(Chunk(model=response.model, extra=self._told()))
        if response.usage is not None:
            self._spent(_usage(response.usage))
            if response.service_tier:  # before its end it is the one that was asked for
                chunks.append(Chunk(extra={"service_tier": response.service_tier}))
        self.over = event.type in _ENDS
        if event.type == "response.completed":
            self._complete()
        elif event.type == "response.incomplete":
            reason = response.incomplete_details.reason if response.incomplete_details else None
            self._finish = "content_filter" if reason == "content_filter" else "length"
            self._complete()
        elif event.type in {"response.failed", "response.cancelled"}:
            raise self._refused(response.error or _Fault(message=f"The response ended as {event.type!r}"))

    def _refused(self, fault: _Fault) -> ProviderError:
        return error_of(self._provider, None, Refusal(fault.message or "", fault.type or "", fault.code or ""))


def _usage(told: _Usage) -> Usage:
    read = plausible(told.input_tokens_details.cached_tokens if told.input_tokens_details else None) or None
    reasoning = plausible(told.output_tokens_details.reasoning_tokens if told.output_tokens_details else None)
    prompt = plausible(told.input_tokens)
    fresh = None if prompt is None else max(0, prompt - (read or 0))
    return Usage(input=fresh, cache_read=read, output=plausible(told.output_tokens), reasoning=reasoning)
