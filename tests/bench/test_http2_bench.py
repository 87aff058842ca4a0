"""What the bench of HTTP/2 says follows from what it measured."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.llm_http2 import AT_ONCE, OTHERS, OURS, Compared, Taken, compare, verdict

_TAKEN = st.builds(Taken, cpu=st.floats(0.1, 10.0), middle=st.floats(0.1, 10.0))


def _take(taken: Taken, calls: int, at_once: int) -> Taken:
    assert calls >= at_once
    return taken


def _found(two: Taken, one: Taken) -> list[Compared]:
    return compare(dict(zip(OURS, (partial(_take, two), partial(_take, one)), strict=True)), 50, 2)


@pytest.mark.parametrize(
    ("cpu", "middle", "better"),
    [(0.5, 0.5, "HTTP/2"), (0.5, 1.5, "HTTP/1.1"), (1.5, 0.5, "HTTP/1.1"), (2, 2, "HTTP/1.1")],
)
def test_the_answer_is_one_line_that_names_the_better_default(cpu: float, middle: float, better: str) -> None:
    told = verdict(_found(Taken(cpu, middle), Taken(1.0, 1.0)))
    assert told.startswith(f"{better} is the better default by these figures")
    assert f"{cpu:.2f} to {cpu:.2f} of the CPU" in told
    assert "\n" not in told


def test_others_are_compared_and_do_not_decide() -> None:
    quick, slow = Taken(1.0, 1.0), Taken(9.0, 9.0)
    speeds = {OURS[0]: quick, OURS[1]: slow, **dict.fromkeys(OTHERS, Taken(0.1, 0.1))}
    found = compare({name: partial(_take, taken) for name, taken in speeds.items()}, 50, 1)
    assert {each.other for each in found} == {OURS[1], *OTHERS}
    assert {each.at_once for each in found if each.other == OURS[1]} == set(AT_ONCE)
    assert verdict(found).startswith("HTTP/2 is")


@given(_TAKEN, _TAKEN)
def test_ratios_are_those_of_what_was_taken(two: Taken, one: Taken) -> None:
    for each in _found(two, one):
        assert each.cpu.middle == pytest.approx(two.cpu / one.cpu)
        assert each.time.middle == pytest.approx(two.middle / one.middle)
