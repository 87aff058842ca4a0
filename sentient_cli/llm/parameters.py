"""How a model shall answer, checked before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, cast

import msgspec
from msgspec import Meta
from typing_extensions import override

from sentient_cli.config.veiled import Veiled, veil
from sentient_cli.errors import BadRequestError
from sentient_cli.llm.checked import check_fields
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.whole import check_whole

__all__ = ["Effort", "Parameters"]

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How long a model shall think before it answers."""

_Word = Annotated[str, Meta(min_length=1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]


_TEXTS = ("tool_choice", "service_tier", "user", "cache_key")


class Parameters(Veiled, frozen=True, kw_only=True, omit_defaults=True):
    """How a model shall answer. None leaves the choice to the provider. Its ``repr`` masks secrets.

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
        BadRequestError: a value is out of its range, or of another type.

    Example:
        >>> Parameters(temperature=0.2, max_tokens=100)
        Parameters(temperature=0.2, max_tokens=100)
    """

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: _Tokens | None = None
    stop: tuple[_Word, ...] = ()
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    top_k: _Tokens | None = None
    effort: Effort | None = None
    thinking_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    tool_choice: _Word | None = None
    parallel_tools: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    service_tier: _Word | None = None
    user: str | None = None
    cache_key: str | None = None
    metadata: dict[str, str] | None = None
    extra: dict[str, dict[str, JsonValue]] | None = None

    def __post_init__(self) -> None:
        check_fields(self, BadRequestError, "parameter")
        for name in _TEXTS:
            told: str | None = getattr(self, name)
            if told:
                check_whole(told, f"The parameter {name!r}")
        for word in self.stop:
            check_whole(word, "The parameter 'stop'")
        if self.metadata is not None:
            _check_json(self.metadata, "metadata")
        if self.extra is not None:
            _check_json(self.extra, "extra")

    @override
    def veiled(self) -> Mapping[str, object]:
        """What is set of them, as it may be shown."""
        told = ((field.name, getattr(self, field.name), field.default) for field in msgspec.structs.fields(self))
        return {name: veil(value, name) for name, value, default in told if value != default}


def _check_json(value: object, place: str) -> None:
    """Find out whether a value is one that JSON can hold, and so can be sent."""
    if isinstance(value, str):
        check_whole(value, f"The parameter {place}")
    elif isinstance(value, dict):
        for name, inner in cast("dict[object, object]", value).items():
            if not isinstance(name, str):
                raise _not_json(f"{place} has the name {name!r:.60}", "Names are texts")
            check_whole(name, f"A name in the parameter {place}")
            _check_json(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for inner in cast("list[object]", value):
            _check_json(inner, f"{place}[]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _not_json(f"{place} is {value!r}", "Use a number, or None")
    elif value is not None and not isinstance(value, bool | int):
        raise _not_json(f"{place} is of the type {type(value).__name__!r}", "Use what JSON can hold")


def _not_json(why: str, fix: str) -> BadRequestError:
    return BadRequestError("The parameter 'extra' cannot be sent", why=why, fix=fix)
