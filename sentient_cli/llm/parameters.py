"""How a model shall answer, checked before anything is sent."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

from sentient_cli.errors import BadRequestError
from sentient_cli.llm.types import JsonValue

__all__ = ["Effort", "Parameters"]

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How long a model shall think before it answers."""

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "max_tokens": (1, 2**31 - 1),
    "seed": (-(2**63), 2**63 - 1),
    "top_k": (1, 2**31 - 1),
    "top_logprobs": (0, 20),
    "thinking_tokens": (0, 2**31 - 1),
}


class Parameters(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a model shall answer. None leaves the choice to the provider.

    Args:
        temperature: Randomness, 0 to 2.
        top_p: Share of the probability mass to sample from, 0 to 1.
        max_tokens: Tokens that the answer may have, from 1.
        stop: The answer ends before the first of these, none of them empty.
        seed: Makes sampling repeatable where the provider can.
        presence_penalty: -2 to 2.
        frequency_penalty: -2 to 2.
        top_k: Sample from the so many likeliest tokens, from 1.
        effort: How long to think before the answer.
        thinking_tokens: Tokens that the thinking may have, for models that count them; 0: none.
        tool_choice: Whether tools may, must or must not be asked for; or the name of the one that must.
        parallel_tools: Whether several tools may be asked for at once.
        logprobs: Whether the answer shall come with the log probabilities of its tokens.
        top_logprobs: How many likely tokens to tell for each place, up to 20.
        service_tier: How soon and at what price, by a name of the provider's.
        user: Who asks, as a name that tells the provider nothing.
        cache_key: Requests with the same key share the provider's cache, where one can say so.
        metadata: Kept by the provider with the answer, where it keeps them.
        extra: More for one provider, by its id: what it takes by its own names. It never goes to another.

    Raises:
        BadRequestError: a value is out of its range.

    Example:
        >>> Parameters(temperature=0.2, max_tokens=100).max_tokens
        100
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None
    effort: Effort | None = None
    thinking_tokens: int | None = None
    tool_choice: str | None = None
    parallel_tools: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    service_tier: str | None = None
    user: str | None = None
    cache_key: str | None = None
    metadata: dict[str, str] | None = None
    extra: dict[str, dict[str, JsonValue]] | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value: float | None = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise _out_of_range(name, f"from {low} to {high}", value)
        stop: object = self.stop  # a plain string is the usual slip, and a sequence of strings as well
        if isinstance(stop, str) or not all(self.stop):
            raise _out_of_range("stop", "a tuple of strings that are not empty", self.stop)


def _out_of_range(name: str, allowed: str, value: object) -> BadRequestError:
    return BadRequestError(
        f"The parameter {name!r} is out of range", why=f"It is {value!r:.60}", fix=f"Use a value {allowed}"
    )
