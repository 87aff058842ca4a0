"""What `ask` does: writes the answer as it comes, and says who gave it and what it cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from sentient_cli.llm.types import Message

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console
    from sentient_cli.config import Loaded
    from sentient_cli.host.llm import ConfiguredLLM
    from sentient_cli.llm import Completion, LLMStream

__all__ = ["Answerer", "Wanted"]


class Wanted(msgspec.Struct, frozen=True):
    """What is asked, and how.

    Args:
        messages: The conversation.
        max_tokens: Tokens that the answer may have.
        temperature: Randomness.
        stream: Whether the answer is written as it comes.
    """

    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    stream: bool = True


class Answerer:
    """Asks, and writes the answer.

    Args:
        console: Where to.
        loaded: The settings.
    """

    def __init__(self, console: Console, loaded: Loaded) -> None:
        self._console = console
        self._loaded = loaded
        self._open_line = False

    async def answer(self, wanted: Wanted) -> None:
        """Ask.

        Raises:
            ConfigError: the model leads nowhere, or its provider has no key.
            ProviderError: the call failed.
        """
        from sentient_cli.cli.details import CallTeller
        from sentient_cli.clock import SystemClock, SystemIds
        from sentient_cli.host.key_stores import stored_keys
        from sentient_cli.host.llm import build_llm
        from sentient_cli.llm.parameters import Parameters

        clock = SystemClock()
        loaded = self._loaded
        manager = build_llm(
            loaded.settings.llm,
            clock,
            SystemIds(clock),
            environment=loaded.environment,
            profile=loaded.settings.profile,
            stores=stored_keys(loaded.settings, environment=loaded.environment, project=loaded.project_dir),
            hooks=[CallTeller(self._console.detail)] if self._console.verbose else [],
        )
        began = time.monotonic()
        try:
            manager.check_stand_ins()
            parameters = Parameters(max_tokens=wanted.max_tokens, temperature=wanted.temperature)
            async with manager.stream(wanted.messages, parameters=parameters) as stream:
                answer = await self._written(stream) if self._streams(wanted) else await stream.completion()
            cost = await _cost(manager, answer)
            self._finish(answer, cost, time.monotonic() - began, written=self._streams(wanted))
        finally:
            if self._open_line:
                self._console.script("\n")
            await manager.aclose()

    def _streams(self, wanted: Wanted) -> bool:
        return wanted.stream and not self._console.json

    async def _written(self, stream: LLMStream) -> Completion:
        from sentient_cli.sanitize import Sanitizer

        console, safe = self._console, Sanitizer()
        async for chunk in stream.chunks():
            if chunk.restarted:
                console.script("\n" if self._open_line else "")
                console.say("The provider failed in the middle: the answer begins anew.")
                safe, self._open_line = Sanitizer(), False
            text = safe.feed(chunk.text) if chunk.text else ""
            if text:
                console.script(text)
                self._open_line = not text.endswith("\n")
                console.flush()
        rest = safe.flush()
        console.script(rest)
        return await stream.completion()

    def _finish(self, answer: Completion, cost: float | None, seconds: float, *, written: bool) -> None:
        console = self._console
        if console.json:
            console.json_line(_fields(answer, cost, seconds))
            return
        if not written and answer.text:
            console.data(answer.text, end="" if answer.text.endswith("\n") else "\n")
        elif self._open_line:
            console.script("\n")
        self._open_line = False
        console.flush()
        for notice in (answer.degraded, *answer.notices):
            if notice:
                console.warn(notice)
        if answer.refusal:
            console.say(f"The model does not answer: {answer.refusal}")
        elif answer.finish_reason == "content_filter":
            console.say("The answer was filtered.")
        elif answer.finish_reason == "length":
            console.say("The answer was cut off at its greatest length.")
        for call in answer.tool_calls:
            console.say(f"The model asks for the tool {call.name}({call.arguments})")
        console.say(_line(answer, cost, seconds))


async def _cost(manager: ConfiguredLLM, answer: Completion) -> float | None:
    if answer.cost is not None or answer.cached:
        return answer.cost
    await manager.prices.ready(answer.provider, answer.model)
    return manager.prices.cost(answer.provider, answer.model, answer.usage)


def _line(answer: Completion, cost: float | None, seconds: float) -> str:
    """Who answered and what it took, in one line."""
    usage = answer.usage
    parts = [f"{answer.provider}:{answer.model}"]
    if usage.prompt is not None and usage.output is not None:
        about = "about " if usage.estimated else ""
        parts.append(f"{about}{usage.prompt} + {usage.output} tokens")
    parts.append("price not known" if cost is None else "free" if cost == 0 else f"${cost:.6f}")
    parts.append(f"{seconds:.1f} s")
    if answer.attempts > 1:
        parts.append(f"{answer.attempts} attempts")
    if answer.cached:
        parts.append("kept answer")
    return "(" + ", ".join(parts) + ")"


def _fields(answer: Completion, cost: float | None, seconds: float) -> dict[str, object]:
    told: dict[str, object] = {
        "text": answer.text,
        "provider": answer.provider,
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "usage": {**msgspec.to_builtins(answer.usage), "prompt": answer.usage.prompt, "total": answer.usage.total},
        "cost": cost,
        "seconds": round(seconds, 3),
        "attempts": answer.attempts,
        "failovers": answer.failovers,
        "cached": answer.cached,
    }
    more = {
        "degraded": answer.degraded,
        "refusal": answer.refusal,
        "model_used": answer.model_used,
        "notices": list(answer.notices),
        "tool_calls": msgspec.to_builtins(answer.tool_calls),
    }
    return told | {name: value for name, value in more.items() if value}
