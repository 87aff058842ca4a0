"""Which generation answers: a machine with any history keeps its promises."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sentient_cli.dev.generations import (
    Action,
    Cancel,
    Generations,
    Kill,
    Launch,
    Leave,
    Limits,
    Retire,
    Serve,
    Stage,
    Tell,
)

_LIMITS = Limits(old=2, finish=60.0, cancel=5.0, supersede=3, load=1.0, crashes=3, crash_window=30.0)


class _Machine(RuleBasedStateMachine):
    """A hub that does what it is told, and processes that load, fail, end and die when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.generations = Generations(_LIMITS)
        self.now = 0.0
        self.alive: set[int] = set()
        self.serving: int | None = None
        self.told: int | None = None
        self.retired: set[int] = set()
        self.left: set[int] = set()
        self.last = 0
        self.saves = 0
        self.carries: dict[int, int] = {0: 0}
        """Which save each generation loads."""
        self.began: dict[int, float] = {}

    def obey(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Launch(number):
                    assert number == self.last + 1, "numbers count up"
                    self.last = number
                    self.alive.add(number)
                    self.carries[number] = self.saves
                    self.began[number] = self.now
                case Serve(number):
                    assert number in self.alive
                    self.serving = number
                case Retire(number):
                    assert number in self.alive
                    assert number != self.serving
                    self.retired.add(number)
                case Leave(number):
                    assert number in self.retired, "only who was retired is sent away"
                    self.left.add(number)
                case Cancel(number, reason):
                    assert number in self.retired, "the one that answers is never cancelled"
                    assert reason
                case Kill(number):
                    assert number != self.serving, "the one that answers is never killed"
                    self.alive.discard(number)
                case Tell(broken):
                    self.told = broken

    def members(self, *stages: Stage) -> list[int]:
        return [number for number in sorted(self.alive) if self.generations.stage(number) in stages]

    @rule(times=st.sampled_from([1, 1, _LIMITS.supersede + 2]))
    def change(self, times: int) -> None:
        for _ in range(times):
            self.saves += 1
            self.obey(self.generations.change(self.now))

    @rule(seconds=st.sampled_from([0.01, 0.5, 2.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.obey(self.generations.tick(self.now))
        if self.carries[self.last] < self.saves:
            assert self.now - self.began[self.last] <= _LIMITS.load, "what hangs gives way to what was saved since"

    @precondition(lambda self: self.members(Stage.LOADING))
    @rule(good=st.booleans())
    def settle(self, good: bool) -> None:
        (loading,) = self.members(Stage.LOADING)
        if good:
            self.obey(self.generations.loaded(loading, self.now))
            assert self.generations.current == loading
            assert self.generations.broken is None
        else:
            before = self.generations.current
            self.alive.discard(loading)
            self.obey(self.generations.failed(loading, self.now))
            assert self.generations.current == before, "what does not load changes nothing"
            assert self.generations.broken == loading

    @precondition(lambda self: self.members(Stage.RETIRING))
    @rule(data=st.data())
    def become_idle(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.members(Stage.RETIRING)))
        self.obey(self.generations.idle(number, self.now))
        assert number in self.left

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.alive)))
        self.alive.discard(number)
        if number == self.serving:
            self.serving = None
        self.obey(self.generations.died(number, self.now))

    @precondition(lambda self: self.last)
    @rule(data=st.data())
    def hear_from_the_past(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, self.last))
        if self.generations.stage(number) is None:
            assert not self.generations.loaded(number, self.now)
            assert not self.generations.failed(number, self.now)
            assert not self.generations.idle(number, self.now)
            assert not self.generations.died(number, self.now)

    @invariant()
    def one_answers_at_most(self) -> None:
        assert self.generations.current == self.serving
        assert len(self.members(Stage.CURRENT)) == (self.serving is not None)
        assert len(self.members(Stage.LOADING)) <= 1

    @invariant()
    def everybody_alive_is_known(self) -> None:
        assert all(self.generations.stage(number) is not None for number in self.alive)

    @invariant()
    def who_answers_says_what_is_broken(self) -> None:
        assert self.told == self.generations.broken

    @invariant()
    def nothing_is_stuck(self) -> None:
        if self.last and self.serving is None and not self.members(Stage.LOADING):
            assert self.generations.broken is not None, "with nobody to answer, something is loaded, or known as broken"

    @invariant()
    def no_save_is_forgotten(self) -> None:
        assert self.carries[self.last] == self.saves or self.members(Stage.LOADING)

    @invariant()
    def owners_answer(self) -> None:
        for number in range(1, self.last + 1):
            owner = self.generations.owner(number)
            assert owner is None or owner in self.members(Stage.CURRENT, Stage.RETIRING)


TestGenerations = _Machine.TestCase


def _loaded(generations: Generations, now: float = 0.0) -> int:
    (launch,) = generations.change(now)
    assert isinstance(launch, Launch)
    generations.loaded(launch.generation, now)
    return launch.generation


def test_a_later_save_supersedes_what_is_being_loaded() -> None:
    generations = Generations()
    assert generations.change(0.0) == [Launch(1)]
    assert generations.change(0.01) == [Kill(1), Launch(2)]
    assert generations.loaded(1, 0.02) == []
    assert generations.loaded(2, 0.03) == [Serve(2)]


def test_saves_that_never_end_do_not_keep_the_code_from_loading() -> None:
    generations = Generations(Limits(supersede=3, load=1.0))
    launched = [action for index in range(50) for action in generations.change(index * 0.01)]
    assert launched[-1] == Launch(4)
    assert Serve(4) in (settled := generations.loaded(4, 0.6))
    assert settled[-1] == Launch(5), "what was saved meanwhile is loaded next"


def test_code_that_hangs_while_it_is_loaded_is_given_up_with_the_next_save() -> None:
    generations = Generations(Limits(supersede=0, load=1.0))
    generations.change(0.0)
    assert generations.change(0.5) == []
    assert generations.change(1.5) == [Kill(1), Launch(2)]


def test_code_that_hangs_gives_way_to_what_was_saved_meanwhile() -> None:
    generations = Generations(Limits(supersede=0, load=1.0))
    generations.change(0.0)
    assert generations.change(0.5) == []
    assert generations.tick(1.0) == []
    assert generations.tick(1.5) == [Kill(1), Launch(2)]
    assert generations.tick(9.0) == []
    assert generations.loaded(2, 9.5) == [Serve(2)], "that was the last save"


def test_the_oldest_is_cancelled_when_too_many_finish_their_runs() -> None:
    generations = Generations(Limits(old=2))
    for _ in range(3):
        _loaded(generations)
    assert generations.change(1.0) == [Launch(4)]
    actions = generations.loaded(4, 1.0)
    assert actions[:2] == [Serve(4), Retire(3)]
    assert [type(action) for action in actions[2:]] == [Cancel]
    assert generations.tick(3.0) == []
    assert generations.tick(6.5) == [Kill(1)]


def test_one_that_finishes_its_runs_has_a_limit() -> None:
    generations = Generations(Limits(finish=120.0))
    _loaded(generations)
    _loaded(generations, 10.0)
    assert generations.tick(129.0) == []
    (cancelled,) = generations.tick(130.0)
    assert isinstance(cancelled, Cancel)
    assert cancelled.generation == 1


def test_a_process_that_dies_is_replaced_but_not_for_ever() -> None:
    generations = Generations(Limits(crashes=3, crash_window=30.0))
    _loaded(generations)
    for number, now in ((1, 1.0), (2, 2.0)):
        assert generations.died(number, now) == [Launch(number + 1)]
        generations.loaded(number + 1, now)
    assert generations.died(3, 3.0) == [Tell(3)]
    assert generations.broken == 3
    assert generations.change(4.0) == [Launch(4)], "the next save tries again"
