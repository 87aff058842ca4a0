"""What is made of outcomes: one figure a unit, the control first, and nothing of what the variants were before."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.experiments.guards import Guard, Tally, breach_of, tallied
from sentient_cli.experiments.outcomes import Outcome
from sentient_cli.experiments.plan import Variant
from sentient_cli.experiments.results import results_of
from sentient_cli.experiments.standing import Change, Standing, rolled_back, stopped
from sentient_cli.experiments.statistics.intervals import newcombe
from tests.experiments.trial_kit import TONE, WARM, outcome

_OUTCOMES = st.lists(
    st.builds(
        outcome,
        st.sampled_from(["control", "warm"]),
        st.integers(0, 1000),
        ending=st.sampled_from(["done", "error", "cancelled", "deadline"]),
        failed_calls=st.integers(0, 2),
        cost=st.none() | st.floats(0, 10),
    ),
    max_size=60,
)


def test_each_unit_counts_once_however_often_it_ran() -> None:
    found = [outcome("warm", number, unit="chatty", seconds=9.0) for number in range(50)]
    found += [outcome("warm", 100, unit="brief", seconds=1.0), outcome("control", 101), outcome("control", 102)]
    warm = results_of(TONE, found).variants[1]
    assert (warm.units, warm.runs, warm.estimates["latency"].mean) == (2, 51, 5.0)


def test_errors_of_single_runs_are_compared_as_rates() -> None:
    found = [outcome("warm", number, ending="error" if number < 6 else "done") for number in range(60)]
    found += [outcome("control", number, failed_calls=int(number < 2)) for number in range(50)]
    control, warm = (each.estimates["errors"] for each in results_of(TONE, found).variants)
    assert (control.mean, warm.mean) == (0.04, 0.1)
    assert warm.interval == newcombe(6, 60, 2, 50, 0.95)
    assert warm.anytime is not None
    assert warm.interval is not None
    assert warm.anytime.low < warm.interval.low < 0.06 < warm.interval.high < warm.anytime.high
    assert (control.difference, control.interval, control.p) == (None, None, None)


def test_what_was_cancelled_or_is_not_known_is_left_out_and_said() -> None:
    found = [outcome("warm", 1, ending="cancelled", seconds=99.0), outcome("warm", 2, cost=None, seconds=2.0)]
    warm = results_of(TONE, found).variants[1]
    assert (warm.runs, warm.cancelled) == (2, 1)
    assert (warm.estimates["latency"].mean, warm.estimates["cost"].mean) == (2.0, None)


def test_what_the_variants_were_before_is_not_counted() -> None:
    earlier = msgspec.structs.replace(TONE, variants={**TONE.variants, "warm": Variant(model="offline")})
    found = results_of(TONE, [outcome("warm", 1, plan=earlier), outcome("warm", 2), outcome("gone", 3)])
    assert (found.variants[1].runs, found.earlier) == (1, 2)
    lighter = msgspec.structs.replace(TONE, variants={**TONE.variants, "warm": Variant(weight=0.1, parameters=WARM)})
    assert lighter.revision == TONE.revision, "other weights change nothing about what was found"


def test_scores_are_metrics_and_may_decide() -> None:
    found = [outcome("warm", number, helpful=0.9 + number % 3 / 100) for number in range(60)]
    found += [outcome("control", number, helpful=0.4 + number % 3 / 100) for number in range(60)]
    told = results_of(TONE, found, metric="score.helpful").variants[1].estimates["score.helpful"]
    assert told.p is not None
    assert told.p < 0.001


def test_the_chance_of_an_error_is_shared_among_the_variants() -> None:
    plan = msgspec.structs.replace(TONE, variants={**TONE.variants, "b": Variant(), "c": Variant()})
    found = [
        outcome(name, number, plan=plan, seconds=float(number % 7) + (name == "warm") * 0.4)
        for name in plan.variants
        for number in range(200)
    ]
    several = results_of(plan, found).variants[1].estimates["latency"]
    pair = [msgspec.structs.replace(each, revision=TONE.revision) for each in found]
    alone = results_of(TONE, pair).variants[1].estimates["latency"]
    assert alone.p is not None
    assert several.p == pytest.approx(min(1.0, 3 * alone.p))
    assert several.interval is not None
    assert alone.interval is not None
    assert several.interval.low < alone.interval.low


def test_where_it_stands_is_said_with_the_reason() -> None:
    def state(standing: Standing | None = None, now: int = 50, **times: int) -> tuple[str, str]:
        found = results_of(msgspec.structs.replace(TONE, **times), [], standing=standing, now=now)
        return found.state, found.why

    begun = Standing(TONE.revision)
    assert state() == ("running", "")
    assert state(starts=60) == ("waiting", "")
    assert state(ends=40) == ("over", "")
    assert state(stopped(begun, Change("stop", 1, "guard", "dear", "warm")))[0] == "stopped"
    assert state(rolled_back(begun, Change("rollback", 1, "guard", "dear", "warm"))) == ("rolled back", "dear")
    assert state(rolled_back(Standing("other"), Change("stop", 1, "ann", ""))) == ("running", "")
    assert results_of(TONE, [], enabled=False).state == "disabled"


def test_traffic_that_is_not_spread_as_it_should_be_is_noticed() -> None:
    found = [outcome("warm", number) for number in range(300)] + [outcome("control", number) for number in range(200)]
    told = results_of(TONE, found).balance
    assert told is not None
    assert told < 0.001


def _sessions(chance: random.Random, count: int) -> list[Outcome]:
    """Sessions of several runs that are alike among themselves, and not between the variants."""
    found: list[Outcome] = []
    for number in range(count):
        mean, variant = chance.gauss(5, 2), chance.choice(("control", "warm"))
        runs = chance.choice((1, 2, 10))
        found += [
            outcome(variant, 100 * number + each, unit=f"{number}", seconds=mean + chance.gauss(0, 0.2))
            for each in range(runs)
        ]
    return found


@pytest.mark.slow
def test_runs_of_one_session_are_not_taken_for_independent() -> None:
    chance, times, deceived, naive = random.Random(11), 60, 0, 0
    for _ in range(times):
        every = _sessions(chance, 300)
        looks = range(200, len(every), 100)
        by_run = [msgspec.structs.replace(each, unit=each.run) for each in every]
        for is_naive, found in ((False, every), (True, by_run)):
            told = [results_of(TONE, found[:look], horizon=300).variants[1].estimates["latency"].p for look in looks]
            hit = any(p is not None and p < 0.05 for p in told)
            naive, deceived = naive + (hit and is_naive), deceived + (hit and not is_naive)
    assert deceived / times <= 0.05 + 3.1 * (0.05 * 0.95 / times) ** 0.5
    assert naive / times > 0.15, "the test has to be able to fail"


# -- guards ------------------------------------------------------------------------------------------------------------


@given(_OUTCOMES, st.integers(0, 60))
def test_tallies_of_parts_make_that_of_the_whole(found: list[Outcome], cut: int) -> None:
    whole = tallied(found, TONE.revision, "warm")
    first, rest = tallied(found[:cut], TONE.revision, "warm"), tallied(found[cut:], TONE.revision, "warm")
    left = whole.without(first)
    assert (left.runs, left.errors, left.priced) == (rest.runs, rest.errors, rest.priced)
    first.include(rest)
    assert (first.runs, first.errors, first.priced) == (whole.runs, whole.errors, whole.priced)
    assert first.cost == pytest.approx(whole.cost)


@given(_OUTCOMES, st.floats(0, 1), st.integers(1, 30))
def test_a_guard_that_waits_for_proof_never_speaks_before_one_that_does_not(
    found: list[Outcome], most: float, least: int
) -> None:
    tally = tallied(found, TONE.revision, "warm")
    guard = Guard(max_error_rate=most, min_runs=least)
    observed = breach_of(guard, tally)
    proven = breach_of(msgspec.structs.replace(guard, evidence="proven"), tally)
    assert (observed is not None) == (tally.runs >= least and tally.errors / max(1, tally.runs) > most)
    assert proven is None or observed is not None


def test_a_guard_on_cost_says_what_it_saw() -> None:
    tally = Tally()
    for number in range(40):
        tally.add(outcome("warm", number, cost=0.03 + number % 2 / 100))
    found = breach_of(Guard(max_cost=0.02), tally)
    assert str(found) == "40 runs cost $0.035 on average, and $0.02 is allowed"
    assert breach_of(Guard(max_cost=0.02, evidence="proven"), tally) is not None
    assert breach_of(Guard(max_cost=0.0349, evidence="proven"), tally) is None
    assert breach_of(Guard(max_cost=0.02, min_runs=41), tally) is None


@pytest.mark.slow
def test_proof_is_seldom_wrong_however_often_it_is_looked_for() -> None:
    chance, wrong = random.Random(2), 0
    guard = Guard(max_error_rate=0.1, min_runs=1, evidence="proven")
    for _ in range(200):
        tally, is_wrong = Tally(), False
        for _ in range(200):
            tally.runs += 1
            tally.errors += chance.random() < 0.1
            is_wrong = is_wrong or breach_of(guard, tally) is not None
        wrong += is_wrong
    assert wrong / 200 <= 0.05 + 3.1 * (0.05 * 0.95 / 200) ** 0.5
