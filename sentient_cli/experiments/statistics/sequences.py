"""Confidence sequences: intervals that hold at every look at once, so that looking often does no harm.

For means and their differences: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
("Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 2024), from the normal
mixture of Robbins (1970). For one rate: the exact mixture of binomials with a beta distribution, by Ville's inequality.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from sentient_cli.experiments.statistics.samples import Interval, Sample

__all__ = ["FEWEST", "Sequential", "difference_sequence", "mean_sequence", "rate_sequence", "rates_apart"]

FEWEST: Final = 25
"""How many numbers of each kind there have to be before a sequence says anything: it rests on a central limit."""
_PRIOR: Final = 0.5


class Sequential(msgspec.Struct, frozen=True):
    """What can be said at any time.

    Args:
        interval: Where the difference lies.
        p: How likely so large a difference would ever be seen if there were none, at most.

    Example:
        >>> Sequential(Interval(0.1, 0.3), 0.01).p
        0.01
    """

    interval: Interval
    p: float


def _rho_squared(alpha: float, horizon: int) -> float:
    """What makes a sequence narrowest at ``horizon``."""
    log = -2 * math.log(alpha)
    return (log + math.log(log) + 1) / horizon


def _factor(n: int, alpha: float, horizon: int) -> float:
    """How many standard errors the half width is."""
    weight = n * _rho_squared(alpha, horizon)
    return math.sqrt(2 * (weight + 1) / weight * math.log(math.sqrt(weight + 1) / alpha))


def mean_sequence(sample: Sample, alpha: float, horizon: int) -> Interval | None:
    """Where a mean lies; None: there are too few numbers to tell.

    Args:
        sample: The numbers.
        alpha: How likely it is, at most, that the mean is ever outside.
        horizon: At how many numbers the interval is narrowest.

    Example:
        >>> interval = mean_sequence(Sample(400, 10.0, 4.0), 0.05, 400)
        >>> interval is not None and (round(interval.low, 2), round(interval.high, 2))
        (9.7, 10.3)
    """
    if sample.n < FEWEST:
        return None
    half = _factor(sample.n, alpha, horizon) * sample.standard_error
    return Interval(sample.mean - half, sample.mean + half)


def difference_sequence(sample: Sample, control: Sample, alpha: float, horizon: int) -> Sequential | None:
    """Where the difference of a mean to that of the control lies; None: too few numbers, or none that differs yet.

    The spread of each is taken to be at least that of both together: a few numbers with nothing rare among them yet
    would otherwise seem to differ for certain from many with it.

    Args:
        sample: The numbers.
        control: Those of the control.
        alpha: How likely it is, at most, that the difference is ever outside.
        horizon: At how many numbers of both the interval is narrowest.

    Example:
        >>> told = difference_sequence(Sample(500, 11.0, 4.0), Sample(500, 10.0, 4.0), 0.05, 1000)
        >>> told is not None and (round(told.interval.low, 2), round(told.interval.high, 2), told.p < 0.001)
        (0.6, 1.4, True)
    """
    if min(sample.n, control.n) < FEWEST:
        return None
    difference = sample.mean - control.mean
    n = sample.n + control.n
    together = _variance_of_both(sample, control)
    error = math.sqrt(max(sample.variance, together) / sample.n + max(control.variance, together) / control.n)
    if not error:
        return None
    half = _factor(n, alpha, horizon) * error
    weight = n * _rho_squared(alpha, horizon)
    log = (difference / error) ** 2 * weight / (2 * (1 + weight)) - math.log1p(weight) / 2
    return Sequential(Interval(difference - half, difference + half), math.exp(min(0.0, -log)))


def _variance_of_both(sample: Sample, control: Sample) -> float:
    n = sample.n + control.n
    within = sample.variance * (sample.n - 1) + control.variance * (control.n - 1)
    return (within + (sample.mean - control.mean) ** 2 * sample.n * control.n / n) / (n - 1)


def rate_sequence(events: int, n: int, alpha: float) -> Interval:
    """Where a rate lies, from the first observation on and without any approximation.

    Args:
        events: How often it happened.
        n: How often it could have.
        alpha: How likely it is, at most, that the rate is ever outside.

    Example:
        >>> interval = rate_sequence(30, 100, 0.05)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.166, 0.463)
    """
    if not n:
        return Interval(0.0, 1.0)
    mixture = _log_beta(events + _PRIOR, n - events + _PRIOR) - _log_beta(_PRIOR, _PRIOR)
    bound = mixture + math.log(alpha)

    def is_inside(rate: float) -> bool:
        return _log_likelihood(events, n, rate) >= bound

    middle = events / n
    low = 0.0 if is_inside(0.0) else _edge(0.0, middle, is_inside)
    return Interval(low, 1.0 if is_inside(1.0) else _edge(1.0, middle, is_inside))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(events: int, n: int, rate: float) -> float:
    if (events and not rate) or (events < n and rate == 1):
        return -math.inf
    return (events * math.log(rate) if events else 0.0) + ((n - events) * math.log1p(-rate) if events < n else 0.0)


def rates_apart(events: int, n: int, control_events: int, control_n: int, alpha: float) -> Interval:
    """Where the difference of a rate to that of the control lies: wide, and without any approximation.

    Args:
        events: How often it happened.
        n: How often it could have.
        control_events: The same with the control.
        control_n: The same with the control.
        alpha: How likely it is, at most, that the difference is ever outside.

    Example:
        >>> 0.0 in rates_apart(0, 30, 0, 30, 0.05)
        True
    """
    own, other = rate_sequence(events, n, alpha / 2), rate_sequence(control_events, control_n, alpha / 2)
    return Interval(own.low - other.high, own.high - other.low)


def _edge(outside: float, inside: float, is_inside: Callable[[float], bool]) -> float:
    """Where the one turns into the other."""
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if is_inside(middle) else (middle, inside)
    return inside
