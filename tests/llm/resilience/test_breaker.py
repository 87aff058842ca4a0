from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sentient_cli.clock import SystemClock
from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    CircuitOpenError,
    ContentFilterError,
    PermissionDeniedError,
    PoolExhaustedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm import CallOptions, Chunk
from sentient_cli.llm.resilience import deadlines
from sentient_cli.llm.resilience.breaker import Breaker, BreakerPolicy, BreakerState, Ticket
from sentient_cli.llm.resilience.breaking import Breakers, Guard
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.llm.resilience.actors import HANG, STOP, Actor, Deed, Stage, said

ONCE = RetryPolicy(attempts=1)
POLICIES = ResiliencePolicies(retry=ONCE, breaker=BreakerPolicy(failures=3, open_for=10, rescue=5))
WELL: list[Deed] = [*said("Hello"), STOP]
DOWN: list[Deed] = [ServerError("Down")]


class BreakerMachine(RuleBasedStateMachine):
    """Any order of calls, ends and waits keeps what a breaker promises."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = BreakerPolicy(failures=3, minimum=6, window=20, open_for=10, longest=60, rescue=2)
        self.breaker = Breaker(self.policy)
        self.now = 0.0
        self.open: list[Ticket] = []
        self.until = 0.0

    @property
    def state(self) -> BreakerState:
        return self.breaker.state(self.now)

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 9.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(rescue=st.booleans())
    def admit(self, rescue: bool) -> None:
        before, probes = self.state, [ticket for ticket in self.open if ticket.probe]
        ticket = self.breaker.admit(self.now, rescue=rescue)
        if before == "closed":
            assert ticket is not None
            assert not ticket.probe
        elif before == "open":
            assert ticket is None or (rescue and ticket.probe)
        elif ticket is not None:
            assert ticket.probe
        if ticket is not None:
            if ticket.probe:
                assert self.state == "half_open"
                assert all(ticket.epoch != probe.epoch for probe in probes)
                assert self.breaker.admit(self.now, rescue=True) is None, "a second probe"
            self.open.append(ticket)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), end=st.sampled_from(["well", "failed", "told", "released"]))
    def end(self, data: st.DataObject, end: str) -> None:
        ticket = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        before, until = self.state, self.breaker.until
        current = self.breaker._finds_out(ticket)
        if end == "well":
            self.breaker.succeeded(ticket, self.now)
            assert self.state == "closed" if current else self.state == before
        elif end == "released":
            self.breaker.released(ticket)
            assert self.breaker.until == until
        else:
            after = 25.0 if end == "told" else None
            self.breaker.failed(ticket, self.now, after)
            if current:
                assert self.state == "open"
                assert self.breaker.until is not None
                assert self.breaker.until >= self.now + (after or self.policy.open_for)
        if until is not None and self.breaker.until is not None:
            assert self.breaker.until >= until, "shortened"

    @invariant()
    def bounded(self) -> None:
        until = self.breaker.until
        assert until is None or until <= self.now + self.policy.longest
        assert self.breaker.admits(self.now) is (
            self.state == "closed" or (self.state == "half_open" and not self.breaker._is_probed(self.now))
        )


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestBreakerMachine = BreakerMachine.TestCase


async def _fails(stage: Stage, times: int, error: type[ProviderError] = ServerError) -> None:
    for _ in range(times):
        with pytest.raises(error):
            await stage.manager.generate("hi")


async def test_a_target_that_fails_rests_and_one_call_finds_out_whether_it_is_back() -> None:
    changes: list[tuple[str, str, BreakerState]] = []
    actor = Actor(DOWN, DOWN, DOWN, [*said("Hel"), HANG], WELL)
    stage = Stage(actor, policies=POLICIES)
    stage.manager.breakers.listen(lambda provider, model, state: changes.append((provider, model, state)))
    await _fails(stage, 3)
    assert stage.manager.breakers.states() == {("plain", "m"): "open"}
    with pytest.raises(CircuitOpenError, match="plain:m rests") as caught:
        await stage.manager.generate("hi")
    assert (actor.calls, caught.value.retry_after) == (3, 10.0)
    stage.clock.time += 10 * 10**9
    async with stage.manager.stream("hi") as probe:
        assert await anext(probe) == "Hel"
        await _fails(stage, 2, CircuitOpenError)
        assert stage.manager.breakers.state("plain", "m") == "half_open"
    assert stage.manager.breakers.state("plain", "m") == "half_open"
    assert (await stage.manager.generate("hi")).text == "Hello"
    assert stage.manager.breakers.state("plain", "m") == "closed"
    assert changes == [("plain", "m", state) for state in ("open", "half_open", "closed")]
    assert actor.calls == 5


async def test_a_long_answer_keeps_nobody_else_from_finding_out() -> None:
    actor = Actor(DOWN, DOWN, DOWN, [*said("Hello"), HANG], [*said("Hello"), HANG], WELL)
    stage = Stage(actor, policies=POLICIES)
    await _fails(stage, 3)
    stage.clock.time += 10 * 10**9
    async with stage.manager.stream("hi") as first:
        await anext(first)
        stage.clock.time += 9 * 10**9
        await _fails(stage, 1, CircuitOpenError)
        stage.clock.time += 10**9
        async with stage.manager.stream("hi") as second:
            await anext(second)
            await _fails(stage, 1, CircuitOpenError)
            assert stage.manager.breakers.state("plain", "m") == "half_open"
            stage.clock.time += 10 * 10**9
            assert (await stage.manager.generate("hi")).text == "Hello"
            assert stage.manager.breakers.state("plain", "m") == "closed"


@pytest.mark.parametrize("is_well", [True, False])
def test_a_long_answer_still_says_whether_a_target_is_back(is_well: bool) -> None:
    breaker = Breaker(BreakerPolicy(failures=1, open_for=10))
    breaker.failed(breaker.admit(0.0), 0.0)
    first = breaker.admit(10.0)
    second = breaker.admit(20.0)
    assert second is not None
    (breaker.succeeded if is_well else breaker.failed)(first, 25.0)
    assert breaker.state(25.0) == ("closed" if is_well else "open")
    breaker.failed(second, 26.0)
    assert breaker.until == (None if is_well else 45.0), "of two that found out the first to end counts"


async def test_a_probe_that_fails_makes_the_rest_longer() -> None:
    stage = Stage(Actor(DOWN), policies=POLICIES)
    await _fails(stage, 3)
    stage.clock.time += 10 * 10**9
    await _fails(stage, 1)
    stage.clock.time += 4 * 10**9
    with pytest.raises(CircuitOpenError) as caught:
        await stage.manager.generate("hi")
    assert caught.value.retry_after == 16.0


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ProviderConnectionError, True),
        (ProviderTimeoutError, True),
        (PoolExhaustedError, False),
        (RateLimitError, True),
        (ServerError, True),
        (BadRequestError, False),
        (AuthenticationError, False),
        (PermissionDeniedError, False),
        (ContentFilterError, False),
    ],
)
async def test_only_what_is_the_targets_fault_counts(error: type[ProviderError], *, counts: bool) -> None:
    actor = Actor([error("No")])
    stage = Stage(actor, policies=POLICIES)
    await _fails(stage, 3, error)
    assert stage.manager.breakers.state("plain", "m") == ("open" if counts else "closed")


async def test_an_answer_that_is_cut_off_counts_when_it_ends() -> None:
    stage = Stage(Actor([*said("Hel"), STOP], [Chunk("Hel")], [Chunk("Hel")], [Chunk("Hel")], WELL), policies=POLICIES)
    assert (await stage.manager.generate("hi")).text == "Hel"
    for _ in range(2):
        async with stage.manager.stream("hi") as stream:
            assert await anext(stream) == "Hel"
    assert stage.manager.breakers.state("plain", "m") == "closed"
    stage = Stage(Actor([Chunk("Hel")]), policies=POLICIES)
    with pytest.raises(ProviderError):
        await stage.manager.generate("hi")
    assert stage.manager.breakers.state("plain", "m") == "open"


@pytest.mark.parametrize("begun", [[], said("Hello")])
async def test_calls_without_time_say_nothing(begun: list[Deed]) -> None:
    stage = Stage(Actor([*begun, HANG]), policies=POLICIES)
    for _ in range(4):
        with pytest.raises(ProviderTimeoutError, match="The call took too long"):
            await stage.manager.generate("hi", options=CallOptions(timeout=0.01, after_content="fail"))
    assert stage.manager.breakers.state("plain", "m") == "closed"


async def test_who_had_the_time_of_a_call_and_did_not_begin_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "FAIR", 0.0)
    slow, late = Actor([HANG], name="slow"), Actor([HANG], name="late")
    bounds = Deadlines(first_token=0.2)
    policies = ResiliencePolicies(retry=ONCE, breaker=BreakerPolicy(failures=3), deadlines=bounds)
    stage = Stage(slow, late, policies=policies)
    for _ in range(3):
        with pytest.raises(ProviderTimeoutError):
            await stage.manager.generate("hi", options=CallOptions(timeout=0.3))
    assert [stage.manager.breakers.state(name, "m") for name in ("slow", "late")] == ["open", "closed"]
    with pytest.raises(ProviderTimeoutError):
        await stage.manager.generate("hi", options=CallOptions(timeout=0.3))
    assert slow.calls == 3
    for _ in range(2):
        with pytest.raises(ProviderTimeoutError):
            await stage.manager.generate("hi", model="late:m", options=CallOptions(timeout=0.3))
    assert stage.manager.breakers.state("late", "m") == "open", "it had all of the time"


async def test_cancelled_calls_say_nothing() -> None:
    actor = Actor(DOWN, DOWN, [HANG], [HANG], DOWN)
    stage = Stage(actor, policies=POLICIES)
    await _fails(stage, 2)
    for _ in range(2):
        actor.has_begun.clear()
        task = asyncio.create_task(stage.manager.generate("hi"))
        await actor.has_begun.wait()
        task.cancel()
        await asyncio.wait([task])
    assert stage.manager.breakers.state("plain", "m") == "closed"
    await _fails(stage, 1)
    assert stage.manager.breakers.state("plain", "m") == "open"


async def test_the_provider_says_how_long_to_rest() -> None:
    stage = Stage(Actor([RateLimitError("Slow", retry_after=60.0)]), policies=POLICIES)
    await _fails(stage, 3, RateLimitError)
    stage.clock.time += 59 * 10**9
    await _fails(stage, 1, CircuitOpenError)
    stage.clock.time += 10**9
    await _fails(stage, 1, RateLimitError)


async def test_models_rest_each_for_itself() -> None:
    actor = Actor(by=lambda request, number: DOWN if request.model == "m" else WELL)
    stage = Stage(actor, policies=POLICIES, together=False)
    await _fails(stage, 3)
    assert (await stage.manager.generate("hi", model="plain:other")).text == "Hello"


async def test_when_all_rest_the_error_names_each() -> None:
    one, two = Actor(DOWN, name="one"), Actor(DOWN, name="two")
    stage = Stage(one, two, policies=POLICIES)
    await _fails(stage, 3)
    with pytest.raises(CircuitOpenError, match="one:m, two:m") as caught:
        await stage.manager.generate("hi")
    assert caught.value.retry_after == 10.0
    assert (one.calls, two.calls) == (3, 3)


async def test_the_last_target_is_never_wholly_blocked() -> None:
    stage = Stage(Actor(DOWN, DOWN, DOWN, WELL), policies=POLICIES)
    await _fails(stage, 3)
    await _fails(stage, 2, CircuitOpenError)
    stage.clock.time += 5 * 10**9
    assert (await stage.manager.generate("hi")).text == "Hello"


async def test_while_another_answers_a_target_has_its_whole_rest() -> None:
    one, two = Actor(DOWN, name="one"), Actor(WELL, name="two")
    stage = Stage(one, two, policies=POLICIES)
    for _ in range(3):
        assert (await stage.manager.generate("hi")).failovers == 1
    for _ in range(9):
        stage.clock.time += 10**9
        answer = await stage.manager.generate("hi")
        assert (answer.provider, answer.attempts) == ("two", 1)
    assert one.calls == 3


async def test_a_share_of_failures_is_too_much_as_well() -> None:
    policies = ResiliencePolicies(retry=ONCE, breaker=BreakerPolicy(failures=50, minimum=10, share=0.5))
    actor = Actor(by=lambda request, number: DOWN if number % 2 else WELL)
    stage = Stage(actor, policies=policies)
    for number in range(10):
        if number % 2:
            await _fails(stage, 1)
        else:
            await stage.manager.generate("hi")
    assert stage.manager.breakers.state("plain", "m") == "open"


async def test_a_provider_that_is_replaced_begins_anew() -> None:
    stage = Stage(Actor(DOWN), policies=POLICIES)
    await _fails(stage, 3)
    stage.manager.replace(Actor(WELL))
    assert (await stage.manager.generate("hi")).text == "Hello"


async def test_the_names_of_models_do_not_fill_the_memory() -> None:
    stage = Stage(Actor(WELL), policies=POLICIES)
    breakers = stage.manager.breakers
    for number in range(10_000):
        breakers.of("plain", str(number))
    assert len(breakers.states()) < 5_000


def test_the_first_to_end_of_calls_that_began_together_say_nothing_of_the_others() -> None:
    breakers = Breakers(lambda _: BreakerPolicy(failures=3), SystemClock())
    guard = Guard("one", breakers)
    begun = [guard.enter("m", rescue=False) for _ in range(10)]
    for breaker, ticket in begun[:4]:
        guard.leave("m", breaker, ticket, ServerError("Down"))
    assert breakers.state("one", "m") == "closed"  # six may still go well
    for breaker, ticket in begun[4:6]:
        guard.leave("m", breaker, ticket, ServerError("Down"))
    assert breakers.state("one", "m") == "open"


@pytest.mark.parametrize(("fails", "enough"), [(1, 5), (4, 8)])
def test_where_some_calls_fail_anyhow_a_short_row_is_chance(fails: int, enough: int) -> None:
    breaker = Breaker(BreakerPolicy(failures=5))
    for number in range(100):
        ticket = breaker.admit(0.0)
        (breaker.succeeded if number % 25 >= fails else breaker.failed)(ticket, 0.0)
    row = 0
    while breaker.state(0.0) == "closed":
        breaker.failed(breaker.admit(0.0), 0.0)
        row += 1
    assert row == enough
