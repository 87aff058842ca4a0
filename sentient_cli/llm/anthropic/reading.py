"""The bytes of a streamed message as chunks: one decode an event, and nothing else that costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from typing_extensions import override

from sentient_cli.llm.anthropic.events import (
    Block,
    Delta,
    Event,
    WireError,
    WireStop,
    WireUsage,
    finish_of,
    refusal_of,
    said_besides,
    usage_of,
)
from sentient_cli.llm.anthropic.meaning import meaning_of
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk, JsonValue, ToolCallDelta, Usage
from sentient_cli.llm.wire.callplaces import CallPlaces
from sentient_cli.llm.wire.decoding import StreamDecoder
from sentient_cli.llm.wire.failures import Refusal
from sentient_cli.llm.wire.halves import decoded_leniently, has_halves

__all__ = ["MessageReader"]

_decode: Final = msgspec.json.Decoder(Event).decode
_NO_BLOCK: Final = Block()
_NO_DELTA: Final = Delta()
_MOST_KEPT: Final = 1000
_KINDS: Final = frozenset(
    {
        *("message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta", "error"),
        *("content_block_stop", "text", "tool_use", "thinking", "redacted_thinking"),
        *("text_delta", "input_json_delta", "thinking_delta", "signature_delta"),
    }
)
"""What is read here; all else may have any form."""


class MessageReader(StreamDecoder):
    r"""Makes chunks of the bytes of a stream.

    Args:
        provider: Whose stream it is, for errors.
        notices: What the first chunk shall tell of the request.

    Example:
        >>> reader = MessageReader("anthropic")
        >>> [hi] = reader.feed(b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}\n\n')
        >>> hi.text
        'Hi'
        >>> reader.feed(b'data: {"type":"message_stop"}\n\n')[0].finish_reason
        'stop'
    """

    __slots__ = ("_others", "_signatures", "_stopped", "_tier", "_tools")

    def __init__(self, provider: str, notices: Sequence[str] | None = None) -> None:
        super().__init__(provider, notices)
        self._tools = CallPlaces()
        self._signatures: dict[int | None, list[str]] = {}
        self._stopped = WireStop()
        self._tier: str | None = None
        self._others: list[JsonValue] = []

    @override
    def _take(self, data: bytes, chunks: list[Chunk]) -> None:
        try:
            event = _decode(data)
        except msgspec.ValidationError as error:
            self._keep_new(data, error)
            return
        except (msgspec.DecodeError, UnicodeError) as error:
            event = self._mend(data, error, partial(msgspec.convert, type=Event))
        delta = event.delta
        if delta is not None and delta.text and delta.type == "text_delta":  # nearly all of them
            self._texts.append(delta.text)
            chunks.append(Chunk(delta.text))
        else:
            self._take_event(event, data, chunks)

    def _take_event(self, event: Event, frame: bytes, chunks: list[Chunk]) -> None:
        """Everything but the next characters of the text."""
        kind = event.type
        if kind == "content_block_delta":
            self._piece(event, frame, chunks)
        elif kind == "content_block_start":
            self._begin(event, frame, chunks)
        elif kind == "content_block_stop":
            self._close(event.index, chunks)
        else:
            self._frame(event, frame, chunks)

    def _frame(self, event: Event, frame: bytes, chunks: list[Chunk]) -> None:
        """What is about the message, and not about one of its blocks."""
        kind = event.type
        if kind == "message_start":
            self._start(event, chunks)
        elif kind == "message_delta":
            self._stopped = event.delta or self._stopped
            if event.usage is not None:
                self._count(event.usage, self.usage or Usage())
        elif kind == "message_stop":
            chunks.append(self._finish())
        elif kind == "error":
            error = event.error or WireError()
            raise meaning_of(self._provider, None, Refusal(error.message or "", error.type or ""))
        elif kind != "ping":
            self._keep(frame)

    def _close(self, index: int | None, chunks: list[Chunk]) -> None:
        if index in self._signatures:
            chunks.append(Chunk(thinking=ThinkingPart(signature="".join(self._signatures.pop(index)))))

    def _start(self, event: Event, chunks: list[Chunk]) -> None:
        message = event.message
        if message is None:
            return
        if message.usage is not None:
            self._count(message.usage, Usage())
        tier: dict[str, JsonValue] = {"service_tier": self._tier} if self._tier else {}  # who leaves early pays it too
        chunks.append(Chunk(model=message.model, usage=self.usage, extra={**tier, **(self._told() or {})} or None))

    def _count(self, told: WireUsage, before: Usage) -> None:
        self._spent(usage_of(told, before))
        self._tier = told.service_tier or self._tier

    def _begin(self, event: Event, frame: bytes, chunks: list[Chunk]) -> None:
        block = event.content_block or _NO_BLOCK
        if block.type == "text":
            if block.text:
                self._texts.append(block.text)
                chunks.append(Chunk(block.text))
        elif block.type == "tool_use":
            arguments = msgspec.json.encode(block.input).decode() if block.input else ""
            place = self._tools.begin(event.index)
            chunks.append(Chunk(tool_call=ToolCallDelta(place, block.id, block.name, arguments)))
        elif block.type == "thinking":
            if block.signature:
                self._signatures[event.index] = [block.signature]
            if block.thinking:
                chunks.append(Chunk(thinking=ThinkingPart(block.thinking)))
        elif block.type == "redacted_thinking":
            chunks.append(Chunk(thinking=ThinkingPart(redacted=block.data or "")))
        else:
            self._keep(frame)

    def _piece(self, event: Event, frame: bytes, chunks: list[Chunk]) -> None:
        delta = event.delta or _NO_DELTA
        if delta.type == "input_json_delta":
            place = self._tools.find(event.index)
            if place is None:  # of a tool that the provider calls itself
                self._keep(frame)
            elif delta.partial_json:
                chunks.append(Chunk(tool_call=ToolCallDelta(place, arguments=delta.partial_json)))
        elif delta.type == "thinking_delta":
            if delta.thinking:
                chunks.append(Chunk(thinking=ThinkingPart(delta.thinking)))
        elif delta.type == "signature_delta":
            self._signatures.setdefault(event.index, []).append(delta.signature or "")
        elif delta.type != "text_delta":
            self._keep(frame)

    def _finish(self) -> Chunk:
        self._complete()
        stop = self._stopped
        extra = {**(said_besides(stop, self._tier) or {}), **(self._told() or {})}
        if self._others:
            extra["events"] = self._others
        return Chunk(
            usage=self.usage,
            finish_reason=finish_of(stop.stop_reason),
            refusal=refusal_of(stop),
            extra=extra or None,
        )

    def _keep_new(self, frame: bytes, error: Exception) -> None:
        """Something in another form than what is known: of a kind that is not known either, it is kept.

        Raises:
            ValidationError: it is of a kind that is known.
        """
        event = msgspec.json.decode(frame, type=dict[str, JsonValue])
        inner = event.get("delta", event.get("content_block"))
        kinds = (event.get("type"), inner.get("type") if isinstance(inner, dict) else None)
        is_known = kinds[0] in _KINDS and (kinds[1] is None or kinds[1] in _KINDS)
        if is_known or not isinstance(kinds[0], str):
            raise error
        self._keep(frame)

    def _keep(self, frame: bytes) -> None:
        """An event of a kind that is not known, as it came; all of them are told at the end."""
        if len(self._others) < _MOST_KEPT:
            event: JsonValue = decoded_leniently(frame) if has_halves(frame) else msgspec.json.decode(frame)
            self._others.append(event)
