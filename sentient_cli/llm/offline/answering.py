"""Decides what the offline model answers: the script's rule, or what the model's name stands for."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.offline.matching import Match, Matcher
from sentient_cli.llm.offline.script import Failure, Pace, ScriptedUsage
from sentient_cli.llm.offline.toolcalls import plain_call
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import FinishReason, ToolCall

__all__ = ["Answer", "Answerer"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What to play.

    Args:
        text: What to say.
        tool_calls: What to ask for after it.
        finish: The reason of the end, when it does not follow from the answer.
        usage: What to report: ``True`` the real tokens, ``False`` nothing.
        pace: How fast, when the rule says so.
        fail: How to fail, if at all.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish: FinishReason | None = None
    usage: ScriptedUsage | bool = True
    pace: Pace | None = None
    fail: Failure | None = None


class Answerer:
    """Answers requests.

    Args:
        matcher: Applies the script.
        fallback: Who answers when no rule applies.
        seed: Chooses among variants.
        now_ns: What the time is.
    """

    def __init__(self, matcher: Matcher, fallback: str, seed: int, now_ns: Callable[[], int]) -> None:
        self._matcher = matcher
        self._fallback = fallback
        self._seed = seed
        self._now_ns = now_ns

    def answer(self, request: Request) -> Answer:
        """What to answer.

        Raises:
            BadRequestError: no rule applies and the script forbids the built-in answers.
        """
        match = self._matcher.match(request)
        if match is not None:
            return _scripted(match)
        if request.model == "echo" or self._fallback == "echo":
            return Answer(text=request.messages[-1].text)
        if self._fallback == "error":
            raise BadRequestError(
                "No rule of the offline script applies",
                why=f"The last message is {request.messages[-1].text!r:.80}",
                fix="Add a rule, or set `fallback`",
                provider="offline",
            )
        return self._built_in(request)

    def _built_in(self, request: Request) -> Answer:
        called = plain_call(request)
        if isinstance(called, ToolCall):
            return Answer(text="", tool_calls=(called,))
        if called is not None:
            return Answer(text=called)
        # Late: what it knows takes longer to import than all else here, and a script may answer everything.
        from sentient_cli.llm.offline.assistant import Talk, reply  # noqa: PLC0415

        return Answer(text=reply(Talk(request.messages, self._seed, self._now_ns())))


def _scripted(match: Match) -> Answer:
    rule = match.rule
    return Answer(
        text=match.text,
        tool_calls=match.tool_calls,
        finish=rule.finish,
        usage=rule.usage,
        pace=rule.pace,
        fail=rule.fail,
    )
