"""What those that speak like OpenAI do not take, by the same tables that their requests are made with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sentient_cli.llm.chatwire.body import known_efforts, range_of, why_left_out, within_range
from sentient_cli.llm.chatwire.dialect import Dialect
from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.config.lengths import too_long
from sentient_cli.llm.config.sources import REFERENCES
from sentient_cli.llm.models.taken import taken_by
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.efforts import listed_efforts, nearest_effort

__all__ = ["chat_conflicts"]

_APART: Final = frozenset({"tool_choice", "extra"})
_USUAL: Final[dict[str, tuple[str, ...]]] = {
    "openai": ("gpt-4.1", "gpt-4.1-mini", "gpt-5.4-mini"),
    "xai": ("grok-4.20-non-reasoning", "grok-4.3"),
    "deepseek": ("deepseek-flash",),
}
"""Models to turn to."""
_BY_EFFORT: Final = frozenset({"temperature", "top_p", "top_k"})


def chat_conflicts(
    parameters: Parameters, dialect: Dialect, kind: str, model: str, *, api: str = ""
) -> Iterator[Conflict]:
    """What comes of parameters at one of those that speak like OpenAI.

    Args:
        parameters: What is given.
        dialect: What is taken.
        kind: The kind of provider.
        model: The model, as it is named there.
        api: By which of several APIs it is asked; empty: there is one.
    """
    source = REFERENCES.get(kind, "")
    yield from too_long(parameters, kind, model)
    given: dict[str, JsonValue] = msgspec.to_builtins(parameters)  # without those that are left open
    for name, value in given.items():
        if name in _APART:
            continue
        why = why_left_out(name, parameters, dialect, model=model, provider=kind)
        if why:
            yield Conflict(
                parameter=name,
                value=value,
                effect="left out",
                reason=why,
                beside=_beside(name, parameters, dialect, model),
                when="tools are offered" if name == "parallel_tools" else "",
                source=source,
                alternatives=tuple(_instead(name, dialect, kind, model, api)),
            )
        elif name == "effort":
            yield from _of_effort(parameters, dialect, model, source, api)
        elif (nearest := within_range(name, value, dialect)) != value:
            yield Conflict(
                parameter=name,
                value=value,
                effect="changed",
                becomes=nearest,
                reason=f"{kind!r} {range_of(name, dialect)}",
                source=source,
                alternatives=(f"Use {nearest}.",),
            )
        elif name == "stop" and dialect.stops is not None and len(parameters.stop) > dialect.stops:
            yield Conflict(
                parameter=name,
                value=value,
                effect="changed",
                becomes=list(parameters.stop[: dialect.stops]),
                reason=f"{kind!r} takes no more than {dialect.stops}",
                source=source,
                alternatives=(f"Name the {dialect.stops} that matter.",),
            )


def _beside(name: str, parameters: Parameters, dialect: Dialect, model: str) -> tuple[str, ...]:
    if name not in dialect.parameters:
        return ()
    if name in taken_by(dialect.kind, model).thoughtless:
        return ("effort",)
    if name == "effort" and parameters.thinking_tokens is not None:
        return ("thinking_tokens",)
    return ("logprobs",) if name == "top_logprobs" and parameters.logprobs is False else ()


def _of_effort(parameters: Parameters, dialect: Dialect, model: str, source: str, api: str) -> Iterator[Conflict]:
    wanted = parameters.effort
    if wanted is None:
        return
    taken = taken_by(dialect.kind, model)
    known = known_efforts(dialect, model)
    sent = nearest_effort(wanted, known)
    if sent != wanted:
        yield Conflict(
            parameter="effort",
            value=wanted,
            effect="changed",
            becomes=sent,
            reason=f"the model {model!r:.80} has {listed_efforts(known)}",
            source=source,
            alternatives=(f"Use one of these: {listed_efforts(known)}.",),
        )
    beside_tools, why = taken.with_tools(sent, model)
    if why and api != "responses":
        yield Conflict(
            parameter="effort",
            value=wanted,
            effect="changed" if beside_tools else "left out",
            becomes=beside_tools or None,
            when="tools are offered",
            reason=f"the model {model!r:.80} takes no other beside tools by chat completions",
            source=source,
            alternatives=('Set `api = "responses"` in the `options` of the provider.',),
        )


def _instead(name: str, dialect: Dialect, kind: str, model: str, api: str) -> Iterator[str]:
    taken = taken_by(dialect.kind, model)
    if name == "service_tier" and dialect.tiers:
        yield f"Use one of these: {', '.join(dialect.tiers)}."
        return
    if name in taken.thoughtless:
        yield 'Set `effort = "none"`: then the model does not think, and takes it.'
    elif name in _BY_EFFORT and taken.efforts and name in dialect.parameters:
        yield f"Steer the model with `effort`: {', '.join(taken.efforts)}."
    if api == "responses" and name not in dialect.parameters:
        yield 'Set `api = "chat"` in the `options` of the provider, if chat completions take it.'
    takers = _takers(name, dialect, kind) if name in dialect.parameters else ()
    if takers:
        yield f"Use a model that takes it, such as {', '.join(takers)}."
    yield "Leave it out for this model."


def _takers(name: str, dialect: Dialect, kind: str) -> list[str]:
    """Models of the same provider that do take a parameter, of those that people use."""
    found = [model for model in _USUAL.get(kind, ()) if _takes(model, name, dialect)]
    return [f"`{kind}:{model}`" for model in found]


def _takes(model: str, name: str, dialect: Dialect) -> bool:
    taken = taken_by(dialect.kind, model)
    return name not in taken.never and name not in taken.thoughtless and not (name == "effort" and taken.efforts == ())
