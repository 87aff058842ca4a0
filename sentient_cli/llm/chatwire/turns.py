"""The order of messages that a vendor takes, whoever spoke in whatever order.

Mistral refuses a user right after the result of a tool, and an assistant at the end; Perplexity wants instructions
first and then user and assistant by turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from sentient_cli.llm.types import JsonValue

__all__ = ["Turns", "in_turns"]

Turns: TypeAlias = Literal["any", "answered", "alternating"]
"""As they come; with the assistant after results of tools; user and assistant by turns."""
Told: TypeAlias = dict[str, JsonValue]

_NOTED: Final = "Noted."
_GO_ON: Final = "Go on."


def in_turns(messages: Sequence[Told], turns: Turns) -> list[JsonValue]:
    r"""Messages in the order that is taken. Nothing of them is left out.

    Args:
        messages: As they go out.
        turns: The order.

    Example:
        >>> said = [{"role": role, "content": role[0]} for role in ("user", "user", "assistant")]
        >>> [message["content"] for message in in_turns(said, "alternating")]
        ['u\n\nu', 'a', 'Go on.']
    """
    return [*_ORDERS[turns](messages)]


def _answered(messages: Sequence[Told]) -> list[Told]:
    told: list[Told] = []
    for message in messages:
        if told and (told[-1]["role"], message["role"]) == ("tool", "user"):
            told.append({"role": "assistant", "content": _NOTED})
        told.append(message)
    return _ended(told)


def _alternating(messages: Sequence[Told]) -> list[Told]:
    told = [message for message in messages if message["role"] == "system"]
    first = len(told)
    for message in messages:
        if message["role"] == "system":
            continue
        if len(told) == first and message["role"] == "assistant":
            told.append({"role": "user", "content": _GO_ON})
        if len(told) > first and _are_one(told[-1], message):
            told[-1] = {**told[-1], "content": _joined(told[-1]["content"], message["content"])}
        else:
            told.append(message)
    return _ended(told)


def _are_one(last: Told, message: Told) -> bool:
    is_plain = not (last.keys() | message.keys()) - {"role", "content"}
    return is_plain and last["role"] == message["role"] and message["role"] in {"user", "assistant"}


def _joined(before: JsonValue, after: JsonValue) -> JsonValue:
    if isinstance(before, str) and isinstance(after, str):
        return f"{before}\n\n{after}"
    return [*_parts(before), *_parts(after)]


def _parts(content: JsonValue) -> list[JsonValue]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _ended(told: list[Told]) -> list[Told]:
    if told and told[-1]["role"] == "assistant":
        told.append({"role": "user", "content": _GO_ON})
    return told


_ORDERS: Final[Mapping[Turns, Callable[[Sequence[Told]], Sequence[Told]]]] = {
    "any": lambda messages: messages,
    "answered": _answered,
    "alternating": _alternating,
}
