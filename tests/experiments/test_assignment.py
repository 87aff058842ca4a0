"""Who gets which variant: stable, spread as the weights say, moved as little as can be, and apart from all else."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.experiments.assignment import assigned, drawn, unit_key
from sentient_cli.experiments.statistics.balance import balance, chi_squared_tail

PINNED = ["warm", "warm", "control", "control", "warm", "warm", "warm", "control"]
PINNED_KEY = "69cbd0f7b5de052a"
UNITS = [f"session-{number}" for number in range(20_000)]
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
WEIGHTS = st.dictionaries(NAMES, st.floats(0, 100), min_size=2, max_size=6).filter(
    lambda found: sum(found.values()) > 0
)


@given(NAMES, NAMES, WEIGHTS, st.floats(0, 1))
def test_a_unit_keeps_its_variant_in_whatever_order_they_stand(
    name: str, unit: str, weights: dict[str, float], share: float
) -> None:
    found = assigned(name, unit, weights, share)
    assert found == assigned(name, unit, dict(reversed(weights.items())), share)
    assert found is None or weights[found] > 0


@given(NAMES, NAMES, WEIGHTS, st.floats(0, 1), st.floats(0, 1))
def test_more_traffic_moves_nobody_who_takes_part(
    name: str, unit: str, weights: dict[str, float], one: float, other: float
) -> None:
    few, many = sorted((one, other))
    found = assigned(name, unit, weights, few)
    assert found is None or found == assigned(name, unit, weights, many)


@given(NAMES, NAMES, WEIGHTS, st.data())
def test_a_weight_that_grows_takes_and_gives_nothing_else(
    name: str, unit: str, weights: dict[str, float], data: st.DataObject
) -> None:
    grown = data.draw(st.sampled_from(sorted(weights)))
    before = assigned(name, unit, weights)
    after = assigned(name, unit, {**weights, grown: weights[grown] + data.draw(st.floats(0.01, 100))})
    assert after in {before, grown}


def test_what_was_assigned_once_is_assigned_for_ever() -> None:
    # Another number here would give users of running experiments other variants.
    assert [assigned("tone", f"session-{number}", {"control": 1, "warm": 1}) for number in range(8)] == PINNED
    assert unit_key("tone", "session-1") == PINNED_KEY


@pytest.mark.parametrize(
    "weights", [{"a": 1, "b": 1}, {"a": 9, "b": 1}, {"a": 5, "b": 3, "c": 2}, {"a": 0.1, "b": 0.3}]
)
def test_units_are_spread_as_the_weights_say(weights: dict[str, float]) -> None:
    counts = Counter(assigned("tone", unit, weights) for unit in UNITS)
    p = balance([counts[name] for name in weights], list(weights.values()))
    assert p is not None
    assert p > 0.001


def test_a_change_of_one_weight_moves_the_least_that_it_can() -> None:
    before = {unit: assigned("tone", unit, {"a": 1, "b": 1, "c": 1}) for unit in UNITS}
    moved = sum(before[unit] != assigned("tone", unit, {"a": 2, "b": 1, "c": 1}) for unit in UNITS)
    assert abs(moved / len(UNITS) - (1 / 2 - 1 / 3)) < 0.01


def test_the_share_is_what_takes_part() -> None:
    takes_part = sum(assigned("tone", unit, {"a": 1, "b": 1}, 0.25) is not None for unit in UNITS)
    assert abs(takes_part / len(UNITS) - 0.25) < 0.015


def test_two_experiments_have_nothing_to_do_with_each_other() -> None:
    weights = {"a": 1, "b": 1}
    pairs = Counter((assigned("tone", unit, weights), assigned("length", unit, weights)) for unit in UNITS)
    p = balance([pairs[one, other] for one in "ab" for other in "ab"], [1, 1, 1, 1])
    assert p is not None
    assert p > 0.001
    # Nor has who takes part with who gets what.
    some = Counter(assigned("tone", unit, weights, 0.5) for unit in UNITS)
    p = balance([some["a"], some["b"]], [1, 1])
    assert p is not None
    assert p > 0.001


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_number_is_between_0_and_1(parts: list[str]) -> None:
    assert 0 < drawn(*parts) < 1


@pytest.mark.parametrize(
    ("value", "degrees", "tail"), [(3.841, 1, 0.05), (5.991, 2, 0.05), (7.815, 3, 0.05), (18.307, 10, 0.05), (0, 3, 1)]
)
def test_the_tail_is_that_of_the_tables(value: float, degrees: int, tail: float) -> None:
    assert chi_squared_tail(value, degrees) == pytest.approx(tail, abs=2e-5)
