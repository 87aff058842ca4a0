"""Calls of tools that nobody answered, such as those of a run that was stopped: no provider takes them as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sentient_cli.llm.types import Message, OutputSpec, ToolCall

__all__ = ["UNANSWERED", "with_results"]

UNANSWERED: Final = "The call was not answered."
"""What the model is told of such a call."""
_NOTED: Final = "Noted."
"""The same of one by which it gave its answer."""


def with_results(messages: Sequence[Message]) -> Sequence[Message]:
    """A conversation in which each call of a tool has a result, if only that there is none.

    Args:
        messages: The conversation.

    Example:
        >>> asked = Message.assistant("", (ToolCall("call_1", "now"),))
        >>> [message.role for message in with_results([Message.user("Hi"), asked, Message.user("Never mind")])]
        ['user', 'assistant', 'tool', 'user']
    """
    if not any(message.tool_calls for message in messages):
        return messages
    told: list[Message] = []
    turn: list[Message] = []
    calls: tuple[ToolCall, ...] = ()
    for message in messages:
        if message.role == "assistant":
            told += _whole(calls, turn)
            turn, calls = [message], message.tool_calls
        else:
            turn.append(message)
    return [*told, *_whole(calls, turn)]


def _whole(calls: tuple[ToolCall, ...], turn: list[Message]) -> list[Message]:
    """An answer with what follows it up to the next one, and the results that are missing."""
    if not calls:
        return turn
    missing = map(_result, _missing(calls, turn))
    end = next((place for place, message in enumerate(turn) if place and message.role != "tool"), len(turn))
    return [*turn[:end], *missing, *turn[end:]]


def _result(call: ToolCall) -> Message:
    is_answer = call.name == OutputSpec.FINAL_ANSWER
    return Message.tool(call, _NOTED if is_answer else UNANSWERED, is_error=not is_answer)


def _missing(calls: Iterable[ToolCall], turn: Iterable[Message]) -> Iterator[ToolCall]:
    results = Counter(message.tool_call_id for message in turn if message.role == "tool")
    for call in calls:
        if results[call.id]:
            results[call.id] -= 1
        else:
            yield call
