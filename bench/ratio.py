"""The arithmetic: measurements in ABBA order, and what is said about their ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

__all__ = ["Pairs", "Spread", "abba", "percentile", "spread"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its range.

    >>> print(spread([3.0, 1.0, 2.0]))
    2.00 (1.00 … 3.00)
    """

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f} … {self.high:.2f})"


def spread(values: Sequence[float]) -> Spread:
    """Median, least and greatest of some values.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("there is nothing to take the median of")
    return Spread(median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed, by nearest rank.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile is of at least one value, and between 0 and 1")
    ordered = sorted(values)
    return ordered[-int(-len(ordered) * share // 1) - 1]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What ABBA rounds gave: for each round both values, the mean of the two measurements of each side.

    >>> pairs = Pairs((2.0, 2.0, 4.0), (1.0, 2.0, 1.0))
    >>> print(pairs.ratio)
    2.00 (1.00 … 4.00)
    """

    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def ratio(self) -> Spread:
        """a / b over the rounds: how many times as much a takes."""
        return spread([one / other for one, other in zip(self.a, self.b, strict=True)])


def abba(rounds: int, a: Callable[[], T], b: Callable[[], T]) -> list[tuple[tuple[T, T], tuple[T, T]]]:
    """Measure two things in the order a b b a, so that a machine that slows down or warms up favours neither.

    Args:
        rounds: How often.
        a: Makes one measurement of the one.
        b: Makes one measurement of the other.

    >>> said = []
    >>> _ = abba(1, lambda: said.append("a"), lambda: said.append("b"))
    >>> said
    ['a', 'b', 'b', 'a']
    """
    taken: list[tuple[tuple[T, T], tuple[T, T]]] = []
    for _ in range(rounds):
        first, second, third, fourth = a(), b(), b(), a()
        taken.append(((first, fourth), (second, third)))
    return taken
