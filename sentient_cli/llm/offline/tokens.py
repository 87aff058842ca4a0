"""What the offline model takes for a token: at most eight characters of a word with the white space after them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from sentient_cli.llm.types import Message, ToolSpec

__all__ = ["count_tokens", "request_tokens", "split_tokens"]

_TOKEN = re.compile(r"\S{1,8}\s{0,8}|\s{1,16}")


def split_tokens(text: str) -> list[str]:
    """Cut a text into tokens, which joined give it again.

    Example:
        >>> split_tokens("Deterministic, always.")
        ['Determin', 'istic, ', 'always.']
    """
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens a text has."""
    return sum(1 for _ in _TOKEN.finditer(text))


def request_tokens(messages: Iterable[Message], tools: Iterable[ToolSpec]) -> int:
    """How many tokens a request has: its texts, its tool calls, and its tools as JSON."""
    total = 0
    for message in messages:
        total += count_tokens(message.text)
        total += sum(count_tokens(call.name) + count_tokens(call.arguments) for call in message.tool_calls)
    for tool in tools:
        total += count_tokens(msgspec.json.encode(tool).decode("utf-8", "replace"))
    return total
