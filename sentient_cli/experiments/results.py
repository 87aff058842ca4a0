"""The results of an experiment: what each variant did, and how it differs from the control."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from sentient_cli.experiments.outcomes import METRICS, Outcome, units_of
from sentient_cli.experiments.plan import Plan
from sentient_cli.experiments.standing import Standing
from sentient_cli.experiments.statistics.balance import balance
from sentient_cli.experiments.statistics.intervals import newcombe, welch
from sentient_cli.experiments.statistics.samples import Interval, Sample, sample_of
from sentient_cli.experiments.statistics.sequences import difference_sequence, rates_apart

__all__ = ["Estimate", "Results", "State", "VariantResults", "results_of"]

State: TypeAlias = Literal["running", "waiting", "over", "stopped", "rolled back", "disabled"]
"""Where an experiment stands."""
Units: TypeAlias = Mapping[str, Sequence[float]]


class Estimate(msgspec.Struct, frozen=True):
    """One metric of one variant.

    Args:
        units: Of how many sessions or users it is known.
        runs: In how many of their runs.
        mean: The mean over units, each of which counts once; None: it is known of none.
        difference: That to the control.
        interval: Where the difference lies, when this is the only look.
        anytime: Where it lies, however often one looks.
        p: How likely so large a difference would ever be seen with any of the variants if there were none, at most;
            however often one looks.

    Example:
        >>> Estimate(units=2, runs=3, mean=0.5).p is None
        True
    """

    units: int
    runs: int
    mean: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    anytime: Interval | None = None
    p: float | None = None


class VariantResults(msgspec.Struct, frozen=True):
    """What a variant did.

    Args:
        name: What it is called.
        weight: Its part of the traffic.
        stopped: Why it gets no more traffic; empty: it does.
        units: How many sessions or users had it.
        runs: How many runs.
        cancelled: How many of these were cancelled, and tell nothing.
        estimates: By metric.
    """

    name: str
    weight: float
    stopped: str
    units: int
    runs: int
    cancelled: int
    estimates: Mapping[str, Estimate]


class Results(msgspec.Struct, frozen=True):
    """What an experiment found.

    Args:
        name: What it is called.
        state: Where it stands.
        why: The reason for that; empty: there is none.
        metric: What the decision is about.
        confidence: How sure the intervals are.
        variants: The control first.
        earlier: How many outcomes are left out, since the variants were something else then.
        balance: How likely it is that units are spread as they are, by chance; None: that cannot be told.
    """

    name: str
    state: State
    why: str
    metric: str
    confidence: float
    variants: Sequence[VariantResults]
    earlier: int
    balance: float | None


def results_of(
    plan: Plan,
    outcomes: Iterable[Outcome],
    *,
    standing: Standing | None = None,
    enabled: bool = True,
    metric: str = "errors",
    confidence: float = 0.95,
    horizon: int = 1000,
    now: int = 0,
) -> Results:
    """What an experiment found so far.

    The chance of an error is shared among the variants that are compared with the control.

    Args:
        plan: The experiment.
        outcomes: What became of its runs.
        standing: What was stopped of it.
        enabled: Whether the settings want it.
        metric: What the decision is about.
        confidence: How sure the intervals are.
        horizon: At how many units those that hold at any time are narrowest.
        now: What the time is, in nanoseconds since the epoch.

    Example:
        >>> from sentient_cli.experiments.plan import Variant
        >>> plan = Plan(name="tone", variants={"control": Variant(), "warm": Variant(model="offline:echo")})
        >>> def run(number: int, variant: str) -> Outcome:
        ...     return Outcome(f"{number}", plan.revision, variant, f"{number}", 0, "done", 0, 1.0, 10, 0.0, {})
        >>> results = results_of(plan, [run(number, "warm" if number % 2 else "control") for number in range(100)])
        >>> results.variants[1].estimates["errors"].difference
        0.0
    """
    standing = (standing or Standing()).of(plan.revision)
    every = list(outcomes)
    own = _by_variant(plan, every)
    alpha = (1 - confidence) / (len(own) - 1)
    found = _estimates(plan.control, own, metric, alpha, horizon)
    variants = [_variant(plan, standing, name, own[name], found[name]) for name in own]
    state, why = _state(plan, standing, now) if enabled else ("disabled", "")
    shares = [plan.variants[each.name].weight for each in variants]
    return Results(
        name=plan.name,
        state=state,
        why=why,
        metric=metric,
        confidence=confidence,
        variants=variants,
        earlier=len(every) - sum(map(len, own.values())),
        balance=None if standing.stopped else balance([each.units for each in variants], shares),
    )


def _by_variant(plan: Plan, outcomes: Iterable[Outcome]) -> Mapping[str, list[Outcome]]:
    """Those that tell of what the variants are now, the control first."""
    names = [plan.control, *(name for name in plan.variants if name != plan.control)]
    own: dict[str, list[Outcome]] = {name: [] for name in names}
    for outcome in outcomes:
        if outcome.revision == plan.revision and outcome.variant in own:
            own[outcome.variant].append(outcome)
    return own


def _estimates(
    control: str, own: Mapping[str, Sequence[Outcome]], metric: str, alpha: float, horizon: int
) -> Mapping[str, Mapping[str, Estimate]]:
    scores = {f"score.{name}" for each in own.values() for outcome in each for name in outcome.scores}
    found: dict[str, dict[str, Estimate]] = {name: {} for name in own}
    for each in dict.fromkeys((metric, *METRICS, *sorted(scores))):
        units = {name: units_of(outcomes, each) for name, outcomes in own.items()}
        for name in own:
            other = None if name == control else units[control]
            found[name][each] = _estimate(each, units[name], other, len(own) - 1, alpha, horizon)
    return found


def _variant(
    plan: Plan, standing: Standing, name: str, own: Sequence[Outcome], estimates: Mapping[str, Estimate]
) -> VariantResults:
    return VariantResults(
        name=name,
        weight=plan.variants[name].weight,
        stopped=standing.stopped[name].why if name in standing.stopped else "",
        units=len({outcome.unit for outcome in own}),
        runs=len(own),
        cancelled=sum(not outcome.counted for outcome in own),
        estimates=estimates,
    )


def _state(plan: Plan, standing: Standing, now: int) -> tuple[State, str]:
    if standing.ended is not None:
        return ("rolled back" if standing.ended.kind == "rollback" else "stopped"), standing.ended.why
    if plan.ends is not None and plan.ends <= now:
        return "over", ""
    if not plan.runs_at(now):
        return "waiting", ""
    if all(name in standing.stopped for name in plan.variants if name != plan.control):
        return "stopped", "no variant is left but the control"
    return "running", ""


def _estimate(
    metric: str, units: Units, control: Units | None, alternatives: int, alpha: float, horizon: int
) -> Estimate:
    sample = _sample(units)
    runs = sum(map(len, units.values()))
    if not sample.n:
        return Estimate(0, 0)
    if not control:
        return Estimate(sample.n, runs, sample.mean)
    other = _sample(control)
    rates = _rates(metric, units, control)
    told = difference_sequence(sample, other, alpha, horizon)
    anytime = None if told is None else told.interval
    if anytime is None and rates is not None:
        anytime = rates_apart(*rates, alpha)
    return Estimate(
        units=sample.n,
        runs=runs,
        mean=sample.mean,
        difference=sample.mean - other.mean,
        interval=welch(sample, other, 1 - alpha) if rates is None else newcombe(*rates, 1 - alpha),
        anytime=anytime,
        p=None if told is None else min(1.0, alternatives * told.p),
    )


def _sample(units: Units) -> Sample:
    return sample_of([math.fsum(values) / len(values) for values in units.values()])


def _rates(metric: str, units: Units, control: Units) -> tuple[int, int, int, int] | None:
    """How often it happened and could have, and the same with the control; None: it is not a rate of single runs."""
    every = [*units.values(), *control.values()]
    is_rate = (metric == "errors" or metric not in METRICS) and all(
        len(values) == 1 and values[0] in {0.0, 1.0} for values in every
    )
    if not is_rate:
        return None
    events, others = (round(sum(value for (value,) in each.values())) for each in (units, control))
    return events, len(units), others, len(control)
