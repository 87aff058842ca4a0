"""Calls of tools that nobody answered, such as those of a run that was stopped, and results of no call.

No provider takes them as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sentient_cli.llm.parts import TextPart
from sentient_cli.llm.types import Message, OutputSpec, ToolCall

__all__ = ["UNANSWERED", "with_results"]

UNANSWERED: Final = "The call was not answered."
"""What the model is told of such a call."""
_NOTED: Final = "Noted."
"""The same of one by which it gave its answer."""


def with_results(messages: Sequence[Message]) -> Sequence[Message]:
    """A conversation in which each call of a tool has a result, if only that there is none, and each result its call.

    Results come right after the answer that asked for them. One of no call there is said as the user.

    Args:
        messages: The conversation.

    Example:
        >>> asked = Message.assistant("", (ToolCall("call_1", "now"),))
        >>> [message.role for message in with_results([Message.user("Hi"), asked, Message.user("Never mind")])]
        ['user', 'assistant', 'tool', 'user']
    """
    if not any(message.tool_calls or message.role == "tool" for message in messages):
        return messages
    told: list[Message] = []
    turn: list[Message] = []
    for message in messages:
        if message.role == "assistant":
            told += _whole(turn)
            turn = [message]
        else:
            turn.append(message)
    return [*told, *_whole(turn)]


def _whole(turn: list[Message]) -> list[Message]:
    """An answer with what follows it up to the next one: the results of its calls at once, those missing among them."""
    calls = turn[0].tool_calls if turn else ()
    asked = Counter(call.id for call in calls)
    results: list[Message] = []
    others: list[Message] = []
    for message in turn[1:] if calls else turn:
        if message.role == "tool" and asked[message.tool_call_id or ""]:
            asked[message.tool_call_id or ""] -= 1
            results.append(message)
        else:
            others.append(_of_nothing(message) if message.role == "tool" else message)
    if not calls:
        return others
    return [turn[0], *results, *map(_result, _missing(calls, results)), *others]


def _of_nothing(message: Message) -> Message:
    """A result whose call is not there, such as one of a conversation that was cut: it is said as the user."""
    said = f"The tool {message.name!r} gave:" if message.name else "A tool gave:"
    if isinstance(message.content, str):
        return Message.user(f"{said} {message.content}")
    return Message.user((TextPart(f"{said} "), *message.content))


def _result(call: ToolCall) -> Message:
    is_answer = call.name == OutputSpec.FINAL_ANSWER
    return Message.tool(call, _NOTED if is_answer else UNANSWERED, is_error=not is_answer)


def _missing(calls: Iterable[ToolCall], results: Iterable[Message]) -> Iterator[ToolCall]:
    given = Counter(message.tool_call_id for message in results)
    for call in calls:
        if given[call.id]:
            given[call.id] -= 1
        else:
            yield call
