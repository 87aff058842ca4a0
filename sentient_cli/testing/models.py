"""Language models that say what a test wants them to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sentient_cli.clock import Clock, Ids
from sentient_cli.host.calls import RunCallHook
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.offline import OfflineProvider
from sentient_cli.llm.offline.script import Rule, Script
from sentient_cli.testing.time import FixedClock, SequentialIds

__all__ = ["scripted_llm"]


def scripted_llm(
    answers: Mapping[str, str] | Script,
    *,
    fallback: Literal["error", "echo", "assistant"] = "error",
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> LLMManager:
    """A manager whose one model answers from a script.

    Args:
        answers: Regular expressions, tried in order on the last message, and what is answered to what they fit; or a
            whole `Script` with tool calls, usage and failures.
        fallback: What happens when none fits: an error, an echo, or the offline model's own answer. A `Script` has its
            own.
        clock: For the records of calls.
        ids: For the records of calls.

    Raises:
        ValueError: a pattern is no regular expression.

    Example:
        >>> import asyncio
        >>> llm = scripted_llm({"weather": "It rains."})
        >>> asyncio.run(llm.generate("How is the weather?")).text
        'It rains.'
    """
    clock = clock or FixedClock()
    if not isinstance(answers, Script):
        rules = tuple(Rule(match=pattern, answer=_literal(answer)) for pattern, answer in answers.items())
        answers = Script(rule=rules, fallback=fallback)
    provider = OfflineProvider(answers, clock=clock)
    return LLMManager(
        [provider], default_model="offline", hooks=[RunCallHook()], clock=clock, ids=ids or SequentialIds()
    )


def _literal(answer: str) -> str:
    # In a script `${` begins a reference, and `$${` is how to write it plainly.
    return answer.replace("${", "$${")
