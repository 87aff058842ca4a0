"""What became of a run that took part in an experiment, and the figures that are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

__all__ = ["FAILED", "METRICS", "Ending", "LateScore", "Outcome", "figure", "units_of"]

Ending: TypeAlias = Literal["done", "error", "cancelled", "deadline"]
"""How a run ended."""

FAILED: Final = frozenset({"error", "deadline"})
METRICS: Final = ("errors", "latency", "tokens", "cost")
"""What is known of every run; users' own scores are ``score.NAME``."""
_SCORE: Final = "score."


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of one run.

    Args:
        run: Its id.
        revision: Which definition of the experiment it was made under.
        variant: The variant that it had.
        unit: Stands for its session or user.
        at: When it ended, in nanoseconds since the epoch.
        ending: How it ended.
        failed_calls: How many calls of models came to nothing in it.
        seconds: How long it took.
        tokens: How many its calls took; None: that is not known.
        cost: What they cost, in US dollars; None: that is not known.
        scores: What was said of it, by name.

    Example:
        >>> Outcome("5f0c", "a1", "warm", "u1", 0, "done", 0, 1.5, 120, 0.002, {"helpful": 1.0}).failed
        False
    """

    run: str
    revision: str
    variant: str
    unit: str
    at: int
    ending: Ending
    failed_calls: int
    seconds: float
    tokens: int | None
    cost: float | None
    scores: dict[str, float]

    @property
    def failed(self) -> bool:
        """Whether it ended with an error or its deadline, or a call of a model in it failed."""
        return self.ending in FAILED or bool(self.failed_calls)

    @property
    def counted(self) -> bool:
        """Whether it tells something: a run that was cancelled does not."""
        return self.ending != "cancelled"


class LateScore(msgspec.Struct, frozen=True, array_like=True):
    """A score of a run that has ended.

    Args:
        run: Its id.
        at: When it was given, in nanoseconds since the epoch; of two of one name the later counts.
        name: What it is about.
        value: How good it was.

    Example:
        >>> LateScore("5f0c", 0, "helpful", 1.0).value
        1.0
    """

    run: str
    at: int
    name: str
    value: float


def figure(outcome: Outcome, metric: str) -> float | None:
    """One figure of a run; None: it has none.

    Args:
        outcome: The run.
        metric: ``errors`` (1 or 0), ``latency`` (seconds), ``tokens``, ``cost`` (US dollars) or ``score.NAME``.

    Example:
        >>> figure(Outcome("5f0c", "a1", "warm", "u1", 0, "deadline", 0, 600.0, None, None, {}), "errors")
        1.0
    """
    if metric.startswith(_SCORE):
        return outcome.scores.get(metric.removeprefix(_SCORE))
    if metric == "errors":
        return float(outcome.failed)
    if metric == "latency":
        return outcome.seconds
    return None if (value := outcome.tokens if metric == "tokens" else outcome.cost) is None else float(value)


def units_of(outcomes: Iterable[Outcome], metric: str) -> Mapping[str, list[float]]:
    """The figures of runs, by the unit that they belong to. Runs that were cancelled are left out.

    Args:
        outcomes: The runs.
        metric: As for `figure`.
    """
    found: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.counted and (value := figure(outcome, metric)) is not None:
            found.setdefault(outcome.unit, []).append(value)
    return found
