"""Confidence intervals of one look: they hold when the number of runs was fixed beforehand.

Wilson (1927) for a rate; Newcombe (1998, method 10) for the difference of two; Welch (1947) for that of two means.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from sentient_cli.experiments.statistics.samples import Interval, Sample
from sentient_cli.experiments.statistics.student import student_quantile

__all__ = ["newcombe", "welch", "wilson"]

_FEWEST = 2


def wilson(events: int, n: int, confidence: float) -> Interval:
    """Where a rate lies.

    Args:
        events: How often it happened.
        n: How often it could have.
        confidence: Such as 0.95.

    Example:
        >>> interval = wilson(0, 20, 0.95)
        >>> interval.low, round(interval.high, 3)
        (0.0, 0.161)
    """
    if not n:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, scale = events / n, 1 + z * z / n
    middle = (rate + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if not events else max(0.0, middle - half)
    return Interval(low, 1.0 if events == n else min(1.0, middle + half))


def newcombe(events: int, n: int, control_events: int, control_n: int, confidence: float) -> Interval:
    """Where the difference of a rate to that of the control lies.

    Args:
        events: How often it happened.
        n: How often it could have.
        control_events: The same with the control.
        control_n: The same with the control.
        confidence: Such as 0.95.

    Example:
        >>> interval = newcombe(56, 70, 48, 80, 0.95)
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.0524, 0.3339)
    """
    if not (n and control_n):
        return Interval(-1.0, 1.0)
    rate, other = events / n, control_events / control_n
    own, control = wilson(events, n, confidence), wilson(control_events, control_n, confidence)
    below = math.hypot(rate - own.low, control.high - other)
    above = math.hypot(own.high - rate, other - control.low)
    return Interval(rate - other - below, rate - other + above)


def welch(sample: Sample, control: Sample, confidence: float) -> Interval | None:
    """Where the difference of a mean to that of the control lies; None: too few numbers, or none that differs yet.

    Args:
        sample: The numbers.
        control: Those of the control.
        confidence: Such as 0.95.

    Example:
        >>> interval = welch(Sample(30, 11.0, 4.0), Sample(40, 10.0, 9.0), 0.95)
        >>> interval is not None and (round(interval.low, 2), round(interval.high, 2))
        (-0.19, 2.19)
    """
    if min(sample.n, control.n) < _FEWEST:
        return None
    difference = sample.mean - control.mean
    own, other = sample.variance / sample.n, control.variance / control.n
    if not own + other:
        return None
    share, rest = own / (own + other), other / (own + other)  # the square of a tiny variance would be nothing
    degrees = 1 / (share**2 / (sample.n - 1) + rest**2 / (control.n - 1))
    half = student_quantile(0.5 + confidence / 2, degrees) * math.sqrt(own + other)
    return Interval(difference - half, difference + half)
