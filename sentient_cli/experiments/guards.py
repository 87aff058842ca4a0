"""Guard rails: whether a variant does what it must not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from sentient_cli.experiments.outcomes import Outcome
from sentient_cli.experiments.statistics.samples import Sample
from sentient_cli.experiments.statistics.sequences import mean_sequence, rate_sequence

__all__ = ["Breach", "Guard", "Tally", "breach_of", "tallied"]

_ALPHA: Final = 0.05


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant must not do.

    Args:
        max_error_rate: The share of runs that may fail; None: any.
        max_cost: What a run may cost on average, in US dollars; None: anything.
        min_runs: How many runs there are before a variant is judged.
        evidence: ``observed``: what was measured counts; ``proven``: what is true all but certainly, at any look.

    Example:
        >>> Guard(max_error_rate=0.05).evidence
        'observed'
    """

    max_error_rate: float | None = None
    max_cost: float | None = None
    min_runs: int = 20
    evidence: Literal["observed", "proven"] = "observed"


class Breach(msgspec.Struct, frozen=True):
    """What a variant has done.

    Args:
        metric: ``errors`` or ``cost``.
        value: What was measured.
        limit: What is allowed.
        runs: In how many runs.

    Example:
        >>> str(Breach("errors", 0.25, 0.05, 40))
        '25% of 40 runs failed, and 5% may'
    """

    metric: Literal["errors", "cost"]
    value: float
    limit: float
    runs: int

    def __str__(self) -> str:
        if self.metric == "errors":
            return f"{100 * self.value:.3g}% of {self.runs} runs failed, and {100 * self.limit:.3g}% may"
        return f"{self.runs} runs cost ${self.value:.4g} on average, and ${self.limit:.4g} is allowed"


class Tally(msgspec.Struct):
    """What a guard has to know of the runs of a variant; sums alone, so that it stays small.

    Args:
        runs: How many there are that tell something.
        errors: How many of them failed.
        priced: Of how many the cost is known.
        cost: What these cost.
        squares: The sum of the squares of that.

    Example:
        >>> tally = Tally()
        >>> tally.add(Outcome("5f0c", "a1", "warm", "u1", 0, "error", 0, 1.0, None, 0.5, {}))
        >>> tally.runs, tally.errors, tally.cost
        (1, 1, 0.5)
    """

    runs: int = 0
    errors: int = 0
    priced: int = 0
    cost: float = 0.0
    squares: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        if not outcome.counted:
            return
        self.runs += 1
        self.errors += outcome.failed
        if outcome.cost is not None:
            self.priced += 1
            self.cost += outcome.cost
            self.squares += outcome.cost**2

    def include(self, other: Tally) -> None:
        """Count the runs of another tally too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def without(self, earlier: Tally) -> Tally:
        """What came after an earlier tally of the same runs.

        Args:
            earlier: What is left out.
        """
        return Tally(*(max(0, getattr(self, name) - getattr(earlier, name)) for name in self.__struct_fields__))

    @property
    def costs(self) -> Sample:
        """What a run costs."""
        mean = self.cost / self.priced if self.priced else 0.0
        spread = max(0.0, self.squares - self.priced * mean**2)
        return Sample(self.priced, mean, spread / (self.priced - 1) if self.priced > 1 else 0.0)


def tallied(outcomes: Iterable[Outcome], revision: str, variant: str) -> Tally:
    """The tally of one variant.

    Args:
        outcomes: Those of an experiment.
        revision: That of its definition.
        variant: The name of the variant.

    Example:
        >>> tallied([], "a1", "warm").runs
        0
    """
    tally = Tally()
    for outcome in outcomes:
        if (outcome.revision, outcome.variant) == (revision, variant):
            tally.add(outcome)
    return tally


def breach_of(guard: Guard, tally: Tally) -> Breach | None:
    """What of a guard a variant breaks; None: nothing.

    Args:
        guard: What it must not do.
        tally: What it did.

    Example:
        >>> breach_of(Guard(max_error_rate=0.1), Tally(runs=20, errors=3)) is not None
        True
        >>> breach_of(Guard(max_error_rate=0.1, evidence="proven"), Tally(runs=20, errors=3)) is None
        True
    """
    is_proven = guard.evidence == "proven"
    if (most := guard.max_error_rate) is not None and tally.runs >= guard.min_runs:
        rate = tally.errors / tally.runs
        low = rate_sequence(tally.errors, tally.runs, _ALPHA).low if is_proven else rate
        if low > most:
            return Breach("errors", rate, most, tally.runs)
    if (most := guard.max_cost) is not None and tally.priced >= guard.min_runs:
        costs = tally.costs
        interval = mean_sequence(costs, _ALPHA, guard.min_runs * 10) if is_proven else None
        if (interval.low if interval is not None else costs.mean) > most and (interval is not None or not is_proven):
            return Breach("cost", costs.mean, most, tally.priced)
    return None
