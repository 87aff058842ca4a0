"""Whether traffic is spread as it should be: Pearson's chi-squared test. If not, something but chance decides."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["balance", "chi_squared_tail"]

_FEWEST = 5


def chi_squared_tail(value: float, degrees: int) -> float:
    """The probability that a chi-squared variable is at least as large.

    Args:
        value: From 0.
        degrees: Degrees of freedom, from 1.

    Example:
        >>> round(chi_squared_tail(3.841, 1), 3), round(chi_squared_tail(9.488, 4), 3)
        (0.05, 0.05)
    """
    half = value / 2
    if degrees % 2:
        tail, term, at = math.erfc(math.sqrt(half)), math.sqrt(half / math.pi) * 2 * math.exp(-half), 1.5
    else:
        tail, term, at = math.exp(-half), half * math.exp(-half), 2.0
    for _ in range((degrees - 1) // 2):
        tail += term
        term *= half / at
        at += 1
    return min(1.0, tail)


def balance(counts: Sequence[int], weights: Sequence[float]) -> float | None:
    """How likely counts are at least as far from the weights as these, by chance; None: there are too few to tell.

    Args:
        counts: How many units there are of each.
        weights: How many there should be, in any measure.

    Example:
        >>> balance([500, 510], [1, 1]) > 0.5, balance([500, 700], [1, 1]) < 0.001
        (True, True)
    """
    pairs = [(count, weight) for count, weight in zip(counts, weights, strict=True) if weight > 0]
    total, weight = sum(count for count, _ in pairs), sum(weight for _, weight in pairs)
    wanted = [total * each / weight for _, each in pairs]
    if len(pairs) <= 1 or min(wanted) < _FEWEST:
        return None
    value = sum((count - expected) ** 2 / expected for (count, _), expected in zip(pairs, wanted, strict=True))
    return chi_squared_tail(value, len(pairs) - 1)
