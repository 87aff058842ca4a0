"""A rotation as a state machine: whatever is tried in whatever order, one version is current, and none is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sentient_cli.config.secret import Secret
from sentient_cli.credentials import rotation
from sentient_cli.credentials.item import Item, Version, VersionState, decode_item, encode_item
from sentient_cli.errors import CredentialConflictError, CredentialStoreError, UsageError


class Rotations(RuleBasedStateMachine):
    """All steps in any order, beside what may be in use: a value is in use from its promotion to its retirement."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1
        self.ids = 1
        self.item = Item()
        self.in_use = list[str]()

    @initialize(value=st.text("ab", min_size=1, max_size=3))
    def store(self, value: str) -> None:
        self.item = rotation.first(Secret(value), "1", now=self.now)
        self.in_use = [value]

    @rule(seconds=st.integers(-10, 7200))
    def time_passes(self, seconds: int) -> None:
        self.now = max(1, self.now + seconds * rotation.SECOND)  # clocks go back, too

    @rule(value=st.text("ab", min_size=1, max_size=3))
    def begin(self, value: str) -> None:
        before, self.ids = self.item, self.ids + 1
        phase, previous = rotation.phase_of(before), before.version("previous")
        try:
            self.item = rotation.begin(before, Secret(value), str(self.ids), now=self.now)
        except CredentialConflictError:
            waiting = before.version("next")
            assert waiting is not None
            assert waiting.value != value
        except UsageError:
            grace = previous is not None and previous.retire_at > self.now
            assert grace or value == rotation.current_of(before).value
        else:
            if phase in {"trying", "verified"}:
                assert self.item == before
            elif previous is not None:
                self.in_use.remove(previous.value)

    @rule()
    def verify(self) -> None:
        self._step(lambda: rotation.verified(self.item, now=self.now), {"trying", "verified"})

    @rule()
    def abort(self) -> None:
        self._step(lambda: rotation.abort(self.item), {"trying", "verified"})

    @rule(grace=st.sampled_from([0.0, 60.0, 3600.0]))
    def promote(self, grace: float) -> None:
        before = self.item
        self._step(lambda: rotation.promote(before, now=self.now, grace=grace), {"verified"})
        if self.item != before:
            self.in_use.append(rotation.current_of(self.item).value)
            previous = self.item.version("previous")
            assert (previous is None) == (grace == 0)
            if previous is None:
                self.in_use.remove(rotation.current_of(before).value)

    @precondition(lambda self: rotation.phase_of(self.item) == "grace")
    @rule(at_once=st.booleans())
    def retire(self, at_once: bool) -> None:
        previous = self.item.version("previous")
        assert previous is not None
        self.item = rotation.retire(self.item, now=self.now, at_once=at_once)
        if self.item.version("previous") is None:
            assert at_once or previous.retire_at <= self.now
            self.in_use.remove(previous.value)

    def _step(self, step: Callable[[], Item], phases: set[str]) -> None:
        phase = rotation.phase_of(self.item)
        try:
            self.item = step()
        except CredentialConflictError:
            assert phase not in phases
        else:
            assert phase in phases

    @invariant()
    def one_is_current_and_none_that_is_in_use_is_lost(self) -> None:
        if self.item.versions:
            rotation.check_item(self.item)
            kept = [version.value for version in self.item.versions if version.state != "next"]
            assert sorted(kept) == sorted(self.in_use)

    @invariant()
    def it_can_be_gone_on_with_from_the_text_that_a_store_holds(self) -> None:
        if not self.item.versions:
            return
        item = decode_item(encode_item(self.item))
        assert item == self.item
        if rotation.phase_of(item) == "trying":
            item = rotation.verified(item, now=self.now)
        if rotation.phase_of(item) == "verified":
            waiting = item.version("next")
            assert waiting is not None
            with contextlib.suppress(UsageError):
                item = rotation.promote(item, now=self.now, grace=1)
                assert rotation.current_of(item).value == waiting.value
        item = rotation.retire(item, now=self.now, at_once=True)
        assert rotation.phase_of(item) == "steady"
        assert len(item.versions) == 1


TestRotations = Rotations.TestCase
TestRotations.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


@pytest.mark.parametrize("states", [[], ["next"], ["current", "current"], ["current", "previous", "previous"]])
def test_what_is_not_whole_is_refused(states: list[VersionState]) -> None:
    versions = tuple(Version(id=str(number), state=state, value="x") for number, state in enumerate(states))
    with pytest.raises(CredentialStoreError, match="not whole"):
        rotation.current_of(Item(versions=versions))


def test_a_later_form_is_refused() -> None:
    item = rotation.first(Secret("x"), "1", now=1)
    with pytest.raises(CredentialStoreError, match="later version"):
        rotation.check_item(Item(versions=item.versions, schema=2))


def test_an_untried_value_does_not_become_current() -> None:
    item = rotation.begin(rotation.first(Secret("x"), "1", now=1), Secret("y"), "2", now=2)
    with pytest.raises(CredentialConflictError, match="has not taken"):
        rotation.promote(item, now=3, grace=60)
