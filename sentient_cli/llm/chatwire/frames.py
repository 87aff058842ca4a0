"""One frame of a stream of chat completions, taken from its JSON straight into structures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec

from sentient_cli.llm.types import JsonValue

__all__ = [
    "CallDelta",
    "Choice",
    "Delta",
    "Frame",
    "Function",
    "UsageFrame",
    "decode_frame",
    "lenient_frame",
    "read_frame",
]

Json: TypeAlias = "dict[str, JsonValue]"


class Function(msgspec.Struct, gc=False):
    """A piece of the call of a function."""

    name: str | None = None
    arguments: str | None = None


class CallDelta(msgspec.Struct, gc=False):
    """A piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    """What is added to the answer; or the whole answer, of one that is not streamed."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[CallDelta] | None = None
    annotations: list[JsonValue] | None = None
    reasoning_details: list[JsonValue] | None = None
    audio: dict[str, JsonValue] | None = None


class PromptDetails(msgspec.Struct, gc=False):
    """What of a request came from a cache or went there."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class AnswerDetails(msgspec.Struct, gc=False):
    """What of an answer was reasoning."""

    reasoning_tokens: int | None = None


class UsageFrame(msgspec.Struct, gc=False):
    """The tokens of a call, as vendors tell them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: AnswerDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    reasoning_tokens: int | None = None


class Choice(msgspec.Struct, gc=False):
    """One of the answers; only the first is asked for."""

    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    index: int = 0
    logprobs: dict[str, JsonValue] | None = None
    usage: UsageFrame | None = None


class Groq(msgspec.Struct, gc=False):
    """What one vendor says in a place of its own."""

    usage: UsageFrame | None = None
    error: str | None = None


class Frame(msgspec.Struct, gc=False):
    """One frame."""

    choices: list[Choice] | None = None
    usage: UsageFrame | None = None
    model: str | None = None
    error: dict[str, JsonValue] | str | None = None
    citations: list[JsonValue] | None = None
    search_results: list[JsonValue] | None = None
    x_groq: Groq | None = None
    service_tier: str | None = None


decode_frame: Callable[[bytes], Frame] = msgspec.json.Decoder(Frame).decode
"""A frame of somebody who takes the types seriously; `read_frame` is for all of them."""
_decode_any = msgspec.json.Decoder().decode


def read_frame(data: bytes) -> Frame:
    """A frame.

    Args:
        data: Its JSON.

    Raises:
        msgspec.DecodeError: it is no JSON, or no object.
        UnicodeError: it is no text.

    Example:
        >>> frame = read_frame(b'{"choices":[{"delta":{"content":"Hi"}}]}')
        >>> frame.choices[0].delta.content
        'Hi'
    """
    try:
        return decode_frame(data)
    except msgspec.ValidationError:
        return lenient_frame(_decode_any(data))


def lenient_frame(told: JsonValue) -> Frame:
    """A frame of somebody who takes the types less seriously: what can be understood of it.

    Args:
        told: Its JSON, decoded.

    Raises:
        msgspec.DecodeError: it is no object.
    """
    if not isinstance(told, dict):
        raise msgspec.DecodeError("a frame is an object")
    kept: Json = {name: value for name, value in told.items() if name not in {"choices", "usage"}}
    kept["choices"] = [_choice(choice) for choice in _objects(told.get("choices"))] or None
    kept["usage"] = _numbers(told.get("usage"))
    if kept.get("error") is not None and not isinstance(kept["error"], dict | str):
        kept["error"] = str(kept["error"])
    for name in ("model", "service_tier", "citations", "search_results", "x_groq"):
        kept[name] = _fitting(kept.get(name), name)
    return msgspec.convert(kept, Frame)


def _fitting(value: JsonValue, name: str) -> JsonValue:
    if name in {"model", "service_tier"}:
        return value if isinstance(value, str) else None
    if name == "x_groq":
        return {"usage": _numbers(value.get("usage"))} if isinstance(value, dict) else None
    return value if isinstance(value, list) else None


def _objects(value: JsonValue) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _choice(told: Json) -> Json:
    index, reason, logprobs = told.get("index"), told.get("finish_reason"), told.get("logprobs")
    return {
        "delta": _delta(told.get("delta")),
        "message": _delta(told.get("message")),
        "finish_reason": None if reason is None else str(reason),
        "index": index if isinstance(index, int) else 0,
        "logprobs": logprobs if isinstance(logprobs, dict) else None,
        "usage": _numbers(told.get("usage")),
    }


def _delta(told: JsonValue) -> JsonValue:
    if not isinstance(told, dict):
        return None
    annotations, details, sound = told.get("annotations"), told.get("reasoning_details"), told.get("audio")
    text, thoughts = _content(told.get("content"))
    if not details:
        details = [*_thinking(told.get("content"))]
    return {
        "content": text,
        "reasoning_content": _text(told.get("reasoning_content")) or thoughts,
        "reasoning": _text(told.get("reasoning")),
        "refusal": _text(told.get("refusal")),
        "tool_calls": [_call(call) for call in _objects(told.get("tool_calls"))] or None,
        "annotations": annotations if isinstance(annotations, list) else None,
        "reasoning_details": details if isinstance(details, list) and details else None,
        "audio": sound if isinstance(sound, dict) else None,
    }


def _content(value: JsonValue) -> tuple[str | None, str | None]:
    """Text and thoughts of a content that is text, or a list of parts."""
    if not isinstance(value, list):
        return _text(value), None
    texts = [_text(part.get("text")) or "" for part in _objects(value)]
    thoughts = [_content(part.get("thinking"))[0] or "" for part in _objects(value)]
    return "".join(texts) or None, "".join(thoughts) or None


def _thinking(value: JsonValue) -> Iterator[JsonValue]:
    """The thoughts among the parts of a content."""
    return (part for part in _objects(value) if part.get("type") == "thinking")


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _call(told: Json) -> JsonValue:
    index, function = told.get("index"), told.get("function")
    identity = told.get("id")
    given: Json = function if isinstance(function, dict) else {}
    arguments = given.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        arguments = msgspec.json.encode(arguments).decode()
    return {
        "index": index if isinstance(index, int) else None,
        "id": None if identity is None else str(identity),
        "function": {"name": _text(given.get("name")), "arguments": arguments},
    }


def _numbers(told: JsonValue) -> JsonValue:
    """The numbers of a usage, whole ones, and of what is nested in it."""
    if not isinstance(told, dict):
        return None
    kept: Json = {}
    for name, value in told.items():
        if isinstance(value, dict):
            kept[name] = _numbers(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            kept[name] = int(value)
    return kept
