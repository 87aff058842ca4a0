"""Student's distribution: the standard library has the normal one alone."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["student_cdf", "student_quantile"]

_TINY: Final = 1e-300
_CLOSE: Final = 1e-15
_STEPS: Final = 500


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, evaluated as Lentz does."""
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0) or _TINY)
    result = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / (1.0 + term * d or _TINY)
            c = 1.0 + term / c or _TINY
            result *= c * d
        if abs(c * d - 1.0) < _CLOSE:
            break
    return result


def _incomplete_beta(a: float, b: float, x: float) -> float:
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):  # on the other side the fraction converges slowly
        return scale * _fraction(a, b, x) / a
    return 1.0 - scale * _fraction(b, a, 1.0 - x) / b


def student_cdf(t: float, degrees: float) -> float:
    """The probability that a value of Student's distribution is at most ``t``.

    Args:
        t: A value.
        degrees: Degrees of freedom, above 0; need not be whole.

    Example:
        >>> round(student_cdf(2.0, 10), 4)
        0.9633
    """
    square = t * t
    if square < degrees:  # the share of what lies outside is as good as one there, and what is little of it is lost
        inside = _incomplete_beta(0.5, degrees / 2, square / (degrees + square)) / 2
        return 0.5 + inside if t > 0 else 0.5 - inside
    tail = _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + square)) / 2
    return 1.0 - tail if t > 0 else tail


def student_quantile(probability: float, degrees: float) -> float:
    """The value that a share of Student's distribution lies below.

    Args:
        probability: From 0.5 to below 1.
        degrees: Degrees of freedom, above 0; need not be whole.

    Example:
        >>> round(student_quantile(0.975, 10), 3)
        2.228
    """
    low, high = 0.0, 1.0
    while student_cdf(high, degrees) < probability and high < 1e12:  # noqa: PLR2004 - far beyond any use
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if student_cdf(middle, degrees) < probability else (low, middle)
    return (low + high) / 2
