"""Calls a tool when the prompt names it plainly, with its arguments; and tells what a tool gave back."""

from __future__ import annotations

import json
import re

import msgspec

from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import JsonValue, Message, ToolCall, ToolSpec

__all__ = ["plain_call"]

LONGEST_NUMBER = 17
_PAIR = re.compile(
    r"([A-Za-z_]\w*)\s*(?:=|:|\bis\b)\s*(\"[^\"]*\"|'[^']*'|\[[^\]]*\]|[^\s,;)]+)",
)
_LEAD = re.compile(r"(?i)^(?:\s|[:,(]|(?:tool|for|in|of|on|with|to|about|using|the|argument|arguments)\b)+")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def plain_call(request: Request) -> ToolCall | str | None:
    """The call that the last message asks for, what to say about a tool, or None when it is not about tools."""
    last = request.messages[-1]
    if last.role == "tool":
        return _told(request.messages)
    if last.role != "user":
        return None
    for tool in request.tools:
        named = _named(tool.name).search(last.text)
        if named:
            return _call(tool, last.text[named.end() :], request.messages)
    return None


def _named(name: str) -> re.Pattern[str]:
    words = r"[\s_\-]+".join(re.escape(word) for word in re.split(r"[_\-]+", name) if word)
    return re.compile(rf"(?i)(?<![\w]){words or re.escape(name)}(?![\w])")


def _told(messages: tuple[Message, ...]) -> str:
    results: list[Message] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        results.insert(0, message)
    lines = [f"{_tool_name(message)} {'failed' if message.is_error else 'gave'}: {message.text}" for message in results]
    return lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)


def _tool_name(message: Message) -> str:
    return f"The tool `{message.name}`" if message.name else "The tool"


def _call(tool: ToolSpec, rest: str, messages: tuple[Message, ...]) -> ToolCall | str:
    types = _types(tool)
    arguments = _arguments(rest, types)
    required = tool.parameters.get("required")
    missing = [name for name in required if name not in arguments] if isinstance(required, list) else []
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        return f"I can call `{tool.name}`, but I need {names}. Write it as `name=value`, for example."
    place = 1 + sum(len(message.tool_calls) for message in messages)
    return ToolCall(f"call_{place}", tool.name, msgspec.json.encode(arguments).decode())


def _types(tool: ToolSpec) -> dict[str, str]:
    properties = tool.parameters.get("properties")
    if not isinstance(properties, dict):
        return {}
    types: dict[str, str] = {}
    for name, schema in properties.items():
        kind = schema.get("type") if isinstance(schema, dict) else None
        types[name] = kind if isinstance(kind, str) else "string"
    return types


def _arguments(rest: str, types: dict[str, str]) -> dict[str, JsonValue]:
    given = _object(rest)
    if given is not None:
        return {name: value for name, value in given.items() if name in types or not types}
    found = {pair[1]: _value(pair[2], types.get(pair[1], "")) for pair in _PAIR.finditer(rest) if pair[1] in types}
    return found or _by_place(rest, types)


def _object(rest: str) -> dict[str, JsonValue] | None:
    start = rest.find("{")
    if start < 0:
        return None
    try:
        value: JsonValue = json.JSONDecoder().raw_decode(rest, start)[0]
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _by_place(rest: str, types: dict[str, str]) -> dict[str, JsonValue]:
    text = _LEAD.sub("", rest).strip(" \t\n?.!)\"'")
    if not text or not types:
        return {}
    if all(kind in {"number", "integer"} for kind in types.values()):
        return {name: _value(word, types[name]) for name, word in zip(types, _NUMBER.findall(text), strict=False)}
    if len(types) == 1:
        (name,) = types
        return {name: _value(text, types[name])}
    return {}


def _value(word: str, kind: str) -> JsonValue:
    if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'":
        word = word[1:-1]
    if kind == "string":
        return word
    lowered = word.casefold()
    if lowered in {"true", "false"}:
        return lowered == "true"
    if _NUMBER.fullmatch(word) and len(word) <= LONGEST_NUMBER:
        return float(word) if "." in word else int(word)
    try:
        value: JsonValue = json.loads(word)
    except (ValueError, RecursionError):
        return word
    return value
