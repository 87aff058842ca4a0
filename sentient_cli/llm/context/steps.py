"""What of a conversation can be left out, and in which order: whole turns, the oldest first, then parts of the last."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sentient_cli.llm.types import Message

__all__ = ["removals"]


def removals(messages: Sequence[Message], pinned: Collection[int] = ()) -> list[frozenset[int]]:
    """The places of messages that can be left out together, in the order in which they are.

    System messages stay, as does what is pinned, the last question, and what was said last. A call of tools and its
    results are never parted.

    Args:
        messages: The conversation.
        pinned: The places of messages that stay.

    Example:
        >>> talk = [Message.system("s"), *(Message(role, "x") for role in ("user", "assistant") * 2), Message.user("?")]
        >>> [sorted(step) for step in removals(talk, pinned=[3])]
        [[1, 2], [4]]
    """
    kept = {place for place, message in enumerate(messages) if message.role == "system"} | set(pinned)
    spoken = [place for place, message in enumerate(messages) if message.role != "system"]
    if spoken:
        kept.add(spoken[-1])
    question = max((place for place in spoken if messages[place].role == "user"), default=-1)
    if question >= 0:
        kept.add(question)
    turns: list[set[int]] = [set()]
    last: list[frozenset[int]] = []
    for unit in _units(messages, spoken):
        first = min(unit)
        if question < 0 or first > question:
            if not unit & kept:
                last.append(frozenset(unit))
            continue
        if messages[first].role == "user":
            turns.append(set())
        if not unit & kept:
            turns[-1] |= unit
    return [frozenset(turn) for turn in turns if turn] + last


def _units(messages: Sequence[Message], spoken: Sequence[int]) -> list[set[int]]:
    """Messages that belong together: those that ask for tools with the results that came, else each by itself."""
    units: list[set[int]] = []
    asked: dict[str, set[int]] = {}
    for place in spoken:
        message = messages[place]
        unit: set[int] | None = asked.get(message.tool_call_id or "") if message.role == "tool" else None
        if unit is None:
            unit = set()
            units.append(unit)
        unit.add(place)
        asked.update((call.id, unit) for call in message.tool_calls)  # an id that comes again names the later call
    return units
