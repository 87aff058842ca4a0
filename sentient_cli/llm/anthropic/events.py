"""The events of a streamed message, each decoded at once into one structure.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. One flat structure for all types of events, in
which everything but the type may be missing: a type that is not known yet is decoded as well as the others.
"""

from __future__ import annotations

import msgspec

from sentient_cli.llm.types import FinishReason, JsonValue, Usage
from sentient_cli.llm.wire.counts import plausible

__all__ = ["Event", "WireMessage", "WireStop", "WireUsage", "finish_of", "refusal_of", "usage_of"]

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}


class CacheCreation(msgspec.Struct, frozen=True, gc=False):
    """Tokens written to the cache, by how long they are kept."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(msgspec.Struct, frozen=True, gc=False):
    """What the tokens of an answer were for."""

    thinking_tokens: int | None = None


class WireUsage(msgspec.Struct, frozen=True, gc=False):
    """The tokens so far. Those of the request count each kind once already."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    service_tier: str | None = None
    """``standard``, ``priority`` or ``batch``: https://platform.claude.com/docs/en/api/service-tiers"""


class StopDetails(msgspec.Struct, frozen=True, gc=False):
    """Why a model does not answer."""

    category: str | None = None
    explanation: str | None = None


class WireStop(msgspec.Struct, frozen=True, gc=False):
    """Why an answer ended."""

    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class Delta(WireStop, frozen=True, gc=False):
    """A piece of a block, or the end of the message."""

    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None


class Block(msgspec.Struct, frozen=True):
    """A block of the content, whole or at its beginning."""

    type: str = ""
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: JsonValue = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class WireMessage(WireStop, frozen=True):
    """A message, whole or at its beginning."""

    model: str | None = None
    usage: WireUsage | None = None
    content: list[Block] | None = None


class WireError(msgspec.Struct, frozen=True, gc=False):
    """An error within the stream."""

    type: str | None = None
    message: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of the stream."""

    type: str
    index: int | None = None
    delta: Delta | None = None
    content_block: Block | None = None
    message: WireMessage | None = None
    usage: WireUsage | None = None
    error: WireError | None = None


def usage_of(told: WireUsage, before: Usage = Usage()) -> Usage:  # noqa: B008 - frozen
    """The tokens of a call, with what was told before where nothing new is said.

    Example:
        >>> usage_of(WireUsage(input_tokens=3, cache_creation=CacheCreation(5, 7), output_tokens=1)).cache_write_1h
        7
    """
    short, long = before.cache_write, before.cache_write_1h
    if told.cache_creation is not None:
        short, long = told.cache_creation.ephemeral_5m_input_tokens, told.cache_creation.ephemeral_1h_input_tokens
    elif told.cache_creation_input_tokens is not None and (
        long is None or told.cache_creation_input_tokens != (short or 0) + long
    ):
        short, long = told.cache_creation_input_tokens, None
    thinking = None if told.output_tokens_details is None else told.output_tokens_details.thinking_tokens
    return Usage(
        input=_newer(told.input_tokens, before.input),
        cache_read=_newer(told.cache_read_input_tokens, before.cache_read),
        cache_write=plausible(short),
        cache_write_1h=plausible(long),
        output=_newer(told.output_tokens, before.output),
        reasoning=_newer(thinking, before.reasoning),
    )


def _newer(told: int | None, before: int | None) -> int | None:
    counted = plausible(told)
    return before if counted is None else counted


def finish_of(reason: str | None) -> FinishReason:
    """Why an answer ended, in our words; a reason that is not known is an end like any other."""
    return _REASONS.get(reason or "", "stop")


def refusal_of(stop: WireStop) -> str:
    """Why the model does not answer; empty when it does."""
    if stop.stop_reason != "refusal":
        return ""
    details = stop.stop_details or StopDetails()
    return details.explanation or (
        f"Refused: {details.category}" if details.category else "The model refused to answer"
    )


def said_besides(stop: WireStop, tier: str | None = None) -> dict[str, JsonValue] | None:
    """What else is said about the end, and the service tier, by Anthropic's names."""
    told: dict[str, JsonValue] = {} if tier is None else {"service_tier": tier}
    if stop.stop_sequence is not None:
        told["stop_sequence"] = stop.stop_sequence
    if stop.stop_reason == "pause_turn" or (stop.stop_reason and stop.stop_reason not in _REASONS):
        told["stop_reason"] = stop.stop_reason
    if stop.stop_details is not None and stop.stop_details.category:
        told["stop_category"] = stop.stop_details.category
    return told or None
