"""Finds the rule of a script that applies to a request, and fills its templates."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from sentient_cli.llm.offline.script import Rule, Script, ScriptedCall, render, render_value
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message, ToolCall

__all__ = ["Match", "Matcher"]


class Match(msgspec.Struct, frozen=True):
    """A rule that applies, with its templates filled.

    Args:
        rule: The rule.
        text: What to say.
        tool_calls: What to ask for.
    """

    rule: Rule
    text: str
    tool_calls: tuple[ToolCall, ...]


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class Matcher:
    """Applies a script and counts how often each rule was used.

    Args:
        script: The script.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._uses = [0] * len(script.rule)

    def reset(self) -> None:
        """Forget how often the rules were used."""
        self._uses = [0] * len(self._script.rule)

    def match(self, request: Request) -> Match | None:
        """The first rule that applies, counted as used; None when there is none."""
        last = request.messages[-1]
        turn = sum(message.role == "user" for message in request.messages)
        for place, rule in enumerate(self._script.rule):
            if rule.times is not None and self._uses[place] >= rule.times:
                continue
            values = _values(rule, request, last, turn)
            if values is not None:
                self._uses[place] += 1
                values["use"] = str(self._uses[place])
                return Match(rule, render(rule.answer, values), _calls(rule, request, values))
        return None


def _values(rule: Rule, request: Request, last: Message, turn: int) -> dict[str, str] | None:
    fits = (
        rule.on in {"any", last.role}
        and rule.turn in {None, turn}
        and rule.model in {None, request.model}
        and rule.tool in {None, last.name if last.role == "tool" else ""}
    )
    if not fits:
        return None
    values = {"0": last.text}
    if rule.match is not None:
        found = _compiled(rule.match).search(last.text)
        if found is None:
            return None
        values = {str(number): found[number] or "" for number in range(found.re.groups + 1)}
        values |= {name: found[name] or "" for name in found.re.groupindex}
    built_in = {"prompt": last.text, "model": request.model, "turn": str(turn), "tool": last.name or ""}
    return built_in | values


def _calls(rule: Rule, request: Request, values: dict[str, str]) -> tuple[ToolCall, ...]:
    before = sum(len(message.tool_calls) for message in request.messages)
    return tuple(
        ToolCall(call.id or f"call_{place}", call.name, _arguments(call, values))
        for place, call in enumerate(rule.tool_calls, before + 1)
    )


def _arguments(call: ScriptedCall, values: dict[str, str]) -> str:
    if isinstance(call.arguments, str):
        return render(call.arguments, values)
    return msgspec.json.encode(render_value(call.arguments, values)).decode()
