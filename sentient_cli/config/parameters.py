"""The settings of how models answer: the parameters that calls get which they leave open, and sets of them by name."""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from sentient_cli.config.fields import Section, Text, Unit, no_flag

__all__ = ["ParameterSettings", "PresetSettings"]

_MOST: Final = 2**31 - 1


def _check_json(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse numbers that TOML has and JSON has not, so that no request could be sent."""
    waiting: list[JsonValue] = [*value.values()]
    while waiting:
        found = waiting.pop()
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError("Numbers should be finite")
        if isinstance(found, dict | list):
            waiting.extend(found.values() if isinstance(found, dict) else found)
    return value


_Extra = Annotated[dict[str, JsonValue], AfterValidator(_check_json)]
_Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_Number = Annotated[float, BeforeValidator(no_flag), Field(allow_inf_nan=False)]
_Whole = Annotated[int, BeforeValidator(no_flag)]
_Temperature = Annotated[_Number, Field(ge=0, le=2)]
_Probability = Annotated[_Number, Field(ge=0, le=1), Unit("probability")]
_Penalty = Annotated[_Number, Field(ge=-2, le=2), Unit("logits")]
_Tokens = Annotated[_Whole, Field(ge=1, le=_MOST), Unit("tokens")]
_SomeTokens = Annotated[_Whole, Field(ge=0, le=_MOST), Unit("tokens")]
_FewTokens = Annotated[_Whole, Field(ge=0, le=20), Unit("tokens")]
_Seed = Annotated[_Whole, Field(ge=-(2**63), le=2**63 - 1)]


class ParameterSettings(Section):
    """What calls of models get that they leave open: ``[llm.parameters]``. What is left out here, the provider decides.

    Example:
        >>> ParameterSettings(temperature=0.2, max_tokens=800).max_tokens
        800
    """

    temperature: _Temperature | None = Field(default=None, description="Randomness: 0 takes the likeliest, 2 is wild.")
    top_p: _Probability | None = Field(default=None, description="Share of the probability mass to sample from.")
    top_k: _Tokens | None = Field(default=None, description="How many of the likeliest tokens to sample from.")
    max_tokens: _Tokens | None = Field(default=None, description="How many tokens an answer may have.")
    stop: tuple[Text, ...] = Field(default=(), description="An answer ends before the first of these.")
    seed: _Seed | None = Field(default=None, description="Makes sampling repeatable where the provider can.")
    presence_penalty: _Penalty | None = Field(
        default=None, description="How much a token loses once the answer has it."
    )
    frequency_penalty: _Penalty | None = Field(
        default=None, description="How much a token loses each time that the answer has it."
    )
    effort: _Effort | None = Field(default=None, description="How long a model thinks before it answers.")
    thinking_tokens: _SomeTokens | None = Field(
        default=None, description="How many tokens thinking may have, for models that count them; 0: none."
    )
    parallel_tools: bool | None = Field(default=None, description="Whether several tools may be asked for at once.")
    logprobs: bool | None = Field(default=None, description="Whether answers come with log probabilities.")
    top_logprobs: _FewTokens | None = Field(default=None, description="How many likely tokens to tell for each place.")
    service_tier: Text | None = Field(
        default=None, description="How soon and at what price, by a name of the provider's."
    )
    user: Text | None = Field(default=None, description="Who asks, as a name that tells the provider nothing.")
    cache_key: Text | None = Field(default=None, description="Requests with the same key share the provider's cache.")
    metadata: dict[str, str] = Field(default_factory=dict, description="Kept by the provider with the answer.")
    extra: dict[str, _Extra] = Field(
        default_factory=dict, description="More for one provider, by its id, with its own names."
    )


class PresetSettings(ParameterSettings):
    """A set of parameters under a name of one's own: ``[llm.presets.NAME]``.

    Example:
        >>> PresetSettings(base="precise", max_tokens=300).base
        'precise'
    """

    base: Text | None = Field(default=None, description="The preset that this one begins with, ours or your own.")
