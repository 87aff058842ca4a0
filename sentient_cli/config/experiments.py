"""The settings of experiments: variants of how models answer, put on trial in real traffic."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, field_validator, model_validator

from sentient_cli.config.fields import Positive, Section, Text
from sentient_cli.config.llm import Dollars, Share
from sentient_cli.config.parameters import ParameterSettings

__all__ = ["ExperimentSettings", "GuardSettings", "Metric", "VariantSettings"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_METRIC: Final = re.compile(r"errors|latency|tokens|cost|score\.[A-Za-z0-9_-]{1,80}")
_FEWEST: Final = 2
_MOST: Final = 20


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("Input should be named with letters, digits, `-`, `_`")
    return name


def _check_metric(metric: str) -> str:
    if not _METRIC.fullmatch(metric):
        raise ValueError("Input should be `errors`, `latency`, `tokens`, `cost` or `score.NAME`")
    return metric


Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Confidence = Annotated[float, Field(ge=0.5, le=0.9999, allow_inf_nan=False)]
VariantName = Annotated[str, AfterValidator(_check_name)]
Metric = Annotated[str, AfterValidator(_check_metric)]
"""What is compared: ``errors``, ``latency``, ``tokens``, ``cost``, or ``score.NAME``."""


class VariantSettings(Section):
    """One variant: ``[experiments.NAME.variants.NAME]``. What is left out is as without the experiment.

    Example:
        >>> VariantSettings(weight=0.5, parameters=ParameterSettings(temperature=0.2)).model is None
        True
    """

    weight: Weight = Field(default=1.0, description="Its part of the traffic, against the weights of the others.")
    preset: Text | None = Field(default=None, description="The preset that its calls begin with.")
    model: Text | None = Field(default=None, description="The model of calls that name none.")
    parameters: ParameterSettings = Field(
        default_factory=ParameterSettings.defaults, description="What calls get that they leave open, over its preset."
    )


class GuardSettings(Section):
    """What a variant must not do: ``[experiments.NAME.guard]``.

    Example:
        >>> GuardSettings(max_error_rate=0.05).min_runs
        20
    """

    max_error_rate: Share | None = Field(default=None, description="The share of runs that may fail.")
    max_cost: Dollars | None = Field(default=None, description="What a run may cost on average.")
    min_runs: Positive = Field(default=20, description="How many runs a variant has before it is judged.")
    evidence: Literal["observed", "proven"] = Field(
        default="observed",
        description="`observed`: what was measured is above; `proven`: what is true is, by a sequential test.",
    )
    on_breach: Literal["stop", "rollback"] = Field(
        default="stop", description="`stop`: the variant gets no more traffic; `rollback`: the experiment ends."
    )


class ExperimentSettings(Section):
    """One experiment: ``[experiments.NAME]``.

    Example:
        >>> variants = {"control": VariantSettings(), "warm": VariantSettings(preset="creative")}
        >>> ExperimentSettings(variants=variants).by
        'session'
    """

    variants: dict[VariantName, VariantSettings] = Field(description="What is compared, by name.")
    control: Text = Field(default="control", description="The variant that the others are compared with.")
    by: Literal["session", "user"] = Field(
        default="session", description="Who always gets the same variant: a session, or a user."
    )
    share: Share = Field(default=1.0, description="The part of all sessions or users that takes part.")
    metric: Metric = Field(default="errors", description="What the decision is about.")
    confidence: Confidence = Field(default=0.95, description="How sure the intervals are.")
    horizon: Positive = Field(default=1000, description="How many units the sequential test is at its best with.")
    guard: GuardSettings = Field(default_factory=GuardSettings.defaults, description="What stops a variant.")
    enabled: bool = Field(default=True, description="Whether it runs.")
    starts: AwareDatetime | None = Field(default=None, description="When it begins, with a time zone.")
    ends: AwareDatetime | None = Field(default=None, description="When it is over, with a time zone.")

    @field_validator("variants")
    @classmethod
    def _check_variants(cls, variants: dict[str, VariantSettings]) -> dict[str, VariantSettings]:
        if not _FEWEST <= len(variants) <= _MOST:
            raise ValueError(f"Input should have {_FEWEST} to {_MOST} variants")
        if not sum(each.weight for each in variants.values()):
            raise ValueError("Input should give a variant a weight above 0")
        return variants

    @model_validator(mode="after")
    def _check_control(self) -> Self:
        if self.control not in self.variants:
            raise ValueError(f"Input should have a variant named {self.control!r:.80}, or say which is `control`")
        if self.starts is not None and self.ends is not None and self.starts >= self.ends:
            raise ValueError("Input should start before it ends")
        return self
