"""What is kept of a set of numbers: how many, their mean, their variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

__all__ = ["Interval", "Sample", "sample_of"]


class Interval(msgspec.Struct, frozen=True):
    """From where to where a value may lie.

    Args:
        low: The least of them.
        high: The greatest.

    Example:
        >>> 0.0 in Interval(-1.0, 2.0), 3.0 in Interval(-1.0, 2.0)
        (True, False)
    """

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


class Sample(msgspec.Struct, frozen=True):
    """A set of numbers.

    Args:
        n: How many there are.
        mean: Their mean; 0 without any.
        variance: Their unbiased variance; 0 for fewer than two.

    Example:
        >>> Sample(n=4, mean=2.5, variance=1.0).standard_error
        0.5
    """

    n: int
    mean: float
    variance: float

    @property
    def standard_error(self) -> float:
        """The standard deviation of the mean; infinite without numbers."""
        return math.sqrt(self.variance / self.n) if self.n else math.inf


def sample_of(values: Sequence[float]) -> Sample:
    """The sample of some numbers.

    Args:
        values: Finite numbers.

    Example:
        >>> sample_of([1.0, 2.0, 3.0])
        Sample(n=3, mean=2.0, variance=1.0)
    """
    n = len(values)
    mean = math.fsum(values) / n if n else 0.0
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1) if n > 1 else 0.0
    return Sample(n, mean, variance)
