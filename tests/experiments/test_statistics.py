"""Intervals as their authors have them, and sequences that looking again and again does not deceive."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import NormalDist

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentient_cli.experiments.statistics.intervals import newcombe, welch, wilson
from sentient_cli.experiments.statistics.samples import Sample, sample_of
from sentient_cli.experiments.statistics.sequences import (
    FEWEST,
    difference_sequence,
    mean_sequence,
    rate_sequence,
    rates_apart,
)
from sentient_cli.experiments.statistics.student import student_cdf, student_quantile

Draw = Callable[[random.Random], float]
ALPHA = 0.05


# -- one look ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("degrees", "probability", "value"),
    [(1, 0.975, 12.7062), (2, 0.975, 4.30265), (5, 0.95, 2.01505), (10, 0.975, 2.22814), (30, 0.995, 2.749996)],
)
def test_students_values_are_those_of_the_tables(degrees: int, probability: float, value: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(value, rel=2e-6)


@given(st.floats(0.5, 0.9999), st.floats(0.6, 1e6))
def test_a_quantile_is_where_the_share_is(probability: float, degrees: float) -> None:
    assert student_cdf(student_quantile(probability, degrees), degrees) == pytest.approx(probability, abs=1e-9)


def test_with_many_degrees_it_is_the_normal_distribution() -> None:
    assert student_quantile(0.975, 1e7) == pytest.approx(NormalDist().inv_cdf(0.975), abs=1e-6)


@pytest.mark.parametrize(
    ("events", "n", "others", "m", "low", "high"),
    # Table II of Newcombe (1998), method 10.
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_differences_of_rates_are_newcombes(events: int, n: int, others: int, m: int, low: float, high: float) -> None:
    found = newcombe(events, n, others, m, 0.95)
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)


@given(st.integers(1, 10_000), st.data(), st.floats(0.5, 0.999))
def test_a_rate_is_in_its_intervals(n: int, data: st.DataObject, confidence: float) -> None:
    events = data.draw(st.integers(0, n))
    for found in (wilson(events, n, confidence), rate_sequence(events, n, 1 - confidence)):
        assert 0 <= found.low <= events / n <= found.high <= 1


@example([0.0, 0.0], [0.0, 1e-90])
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_the_difference_is_in_the_middle_and_turns_with_the_sides(one: list[float], other: list[float]) -> None:
    sample, control = sample_of(one), sample_of(other)
    found, turned = welch(sample, control, 0.95), welch(control, sample, 0.95)
    if found is None or turned is None:
        assert not sample.variance + control.variance
        return
    assert found.low <= sample.mean - control.mean <= found.high
    assert (turned.low, turned.high) == (-found.high, -found.low)


def test_welch_is_right_as_often_as_it_says() -> None:
    chance = random.Random(5)
    held = 0
    for _ in range(600):
        sample = sample_of([chance.gauss(3, 1) for _ in range(12)])
        control = sample_of([chance.gauss(1, 4) for _ in range(30)])
        found = welch(sample, control, 0.95)
        held += found is not None and 2 in found
    assert 0.925 <= held / 600 <= 0.975


# -- at any time -------------------------------------------------------------------------------------------------------


class Running:
    """Numbers as they come, and what is known of them."""

    def __init__(self) -> None:
        self.n, self.sum, self.squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.sum += value
        self.squares += value * value

    @property
    def sample(self) -> Sample:
        mean = self.sum / self.n
        return Sample(self.n, mean, max(0.0, self.squares - self.n * mean**2) / (self.n - 1))


def _deceived(draw: Draw, *, looks: int, times: int, share: float = 0.5, effect: float = 0.0) -> tuple[float, float]:
    """How often somebody who looks after each observation finds a false difference: by the sequence, and naively."""
    chance, z = random.Random(7), NormalDist().inv_cdf(1 - ALPHA / 2)
    by_sequence = naively = 0
    for _ in range(times):
        sides = (Running(), Running())
        is_deceived = is_naive = False
        for _ in range(looks):
            side = chance.random() < share
            sides[side].add(draw(chance) + effect * side)
            if min(sides[0].n, sides[1].n) < FEWEST or (is_deceived and is_naive):
                continue
            control, sample = sides[0].sample, sides[1].sample
            told = difference_sequence(sample, control, ALPHA, looks)
            is_deceived |= told is not None and effect not in told.interval
            error = math.sqrt(control.variance / control.n + sample.variance / sample.n)
            is_naive |= abs(sample.mean - control.mean - effect) > z * error
        by_sequence += is_deceived
        naively += is_naive
    return by_sequence / times, naively / times


def _bounded(times: int) -> float:
    """What a share that is at most ALPHA exceeds by chance less than once in a thousand."""
    return ALPHA + 3.1 * math.sqrt(ALPHA * (1 - ALPHA) / times)


@pytest.mark.slow
def test_looking_after_each_of_a_thousand_does_not_deceive() -> None:
    by_sequence, naively = _deceived(lambda chance: chance.gauss(0, 1), looks=1000, times=200)
    assert by_sequence <= _bounded(200)
    assert naively > 0.2, "the test has to be able to fail"


def _rate(rate: float) -> Draw:
    return lambda chance: float(chance.random() < rate)


def _skewed(chance: random.Random) -> float:
    return chance.lognormvariate(0, 1.5)


def _normal(chance: random.Random) -> float:
    return chance.gauss(9, 2)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize(
    "draw",
    [_rate(0.5), _rate(0.05), _rate(0.01), _skewed, _normal],
    ids=["half", "1 in 20", "1 in 100", "skewed", "normal"],
)
def test_nor_do_rare_errors_long_waits_and_small_shares(draw: Draw, share: float) -> None:
    by_sequence, naively = _deceived(draw, looks=1000, times=400, share=share)
    assert by_sequence <= _bounded(400)
    assert naively > _bounded(400)


@pytest.mark.slow
def test_an_interval_holds_a_difference_that_is_there() -> None:
    by_sequence, _ = _deceived(lambda chance: chance.gauss(0, 1), looks=1000, times=400, effect=0.3)
    assert by_sequence <= _bounded(400)


@given(
    st.integers(FEWEST, 5000),
    st.integers(FEWEST, 5000),
    st.floats(-100, 100),
    st.floats(0.01, 100),
    st.floats(0.01, 100),
    st.floats(0.001, 0.2),
)
def test_the_interval_and_its_p_say_the_same(
    n: int, m: int, mean: float, variance: float, other: float, alpha: float
) -> None:
    told = difference_sequence(Sample(n, mean, variance), Sample(m, 0.0, other), alpha, 1000)
    assert told is not None
    edge = min(abs(told.interval.low), abs(told.interval.high))
    if edge > 1e-9 * (told.interval.high - told.interval.low):
        # The p is that of the same mixture where both have the same width, which depends on alpha alone.
        same = difference_sequence(Sample(n, mean, variance), Sample(m, 0.0, other), alpha, 1000)
        assert same is not None
        assert (same.p < alpha) == (0 not in same.interval)
    once = welch(Sample(n, mean, variance), Sample(m, 0.0, other), 1 - alpha)
    assert once is not None
    assert told.interval.high - told.interval.low > once.high - once.low


@pytest.mark.slow
def test_a_rate_is_never_lost_from_the_first_observation_on() -> None:
    chance, lost = random.Random(3), 0
    for _ in range(300):
        events, is_lost = 0, False
        for n in range(1, 301):
            events += chance.random() < 0.1
            found = rate_sequence(events, n, ALPHA) if n % 5 == 0 else None
            is_lost |= found is not None and 0.1 not in found
        lost += is_lost
    assert lost / 300 <= _bounded(300)


def test_nothing_is_said_of_too_few_and_of_what_never_varies() -> None:
    few, many, same = Sample(FEWEST - 1, 1.0, 1.0), Sample(900, 2.0, 1.0), Sample(900, 2.0, 0.0)
    assert difference_sequence(few, many, ALPHA, 1000) is None
    assert mean_sequence(few, ALPHA, 1000) is None
    assert difference_sequence(same, same, ALPHA, 1000) is None
    assert welch(same, same, 0.95) is None
    assert 0 in rates_apart(0, 900, 0, 900, ALPHA)
    assert rates_apart(0, 900, 0, 900, ALPHA).high < 0.02
