"""The checks of a credential store find each promise that is broken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from typing_extensions import override

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore, Held
from sentient_cli.errors import CredentialConflictError, CredentialStoreError
from sentient_cli.testing import CredentialStoreCheck, MemoryCredentialStore, credential_store_checks


class NoName(MemoryCredentialStore):
    @property
    @override
    def store_id(self) -> str:
        return "No Name"


class ChangesWhenChecked(MemoryCredentialStore):
    @override
    def check(self) -> None:
        self._held[Address("probe", f"p{len(self._held)}")] = Held(Secret("x"), "1")


class HasEverything(MemoryCredentialStore):
    @override
    def get(self, address: Address) -> Held | None:
        return super().get(address) or Held(Secret("x"), "1")


class ClosesOnce(MemoryCredentialStore):
    _closed = False

    @override
    def close(self) -> None:
        assert not self._closed, "closed twice"
        self._closed = True


class Shows(MemoryCredentialStore):
    @override
    def __repr__(self) -> str:
        return repr({address: held.text.reveal() for address, held in self._held.items()})


class SameRevision(MemoryCredentialStore):
    @override
    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        super().put(address, text, expected=expected)
        self._held[address] = Held(text, "same")
        return "same"


class Strips(MemoryCredentialStore):
    @override
    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        return super().put(address, Secret(text.reveal().strip()), expected=expected)


class Cuts(MemoryCredentialStore):
    @override
    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        return super().put(address, Secret(text.reveal()[:1000]), expected=expected)


class TakesAnyRevision(MemoryCredentialStore):
    @override
    def _expect(self, address: Address, expected: str) -> None:
        """Whatever is expected."""


class DeletesTwice(MemoryCredentialStore):
    @override
    def delete(self, address: Address, *, expected: str) -> None:
        if address in self._held:
            super().delete(address, expected=expected)
        elif expected != ABSENT and self._writes == 0:
            raise CredentialConflictError("nothing was there yet")


class Mixes(MemoryCredentialStore):
    @override
    def get(self, address: Address) -> Held | None:
        return super().get(Address(address.profile, address.name.replace("-", "_")))

    @override
    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        return super().put(Address(address.profile, address.name.replace("-", "_")), text, expected=expected)


class Unsorted(MemoryCredentialStore):
    @override
    def addresses(self) -> Sequence[Address]:
        return tuple(self._held)


class Remembers(MemoryCredentialStore):
    """Each has read the place once."""

    place = MemoryCredentialStore()

    def __init__(self) -> None:
        super().__init__()
        self._held = dict(self.place._held)

    @override
    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        revision = super().put(address, text, expected=expected)
        self.place._held[address] = Held(text, revision)
        return revision


class LosesRaces(MemoryCredentialStore):
    """Whoever has looked waits for the others to look, and then all of them write."""

    _all = threading.Barrier(4)

    @override
    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        self._expect(address, expected)
        if threading.current_thread() is not threading.main_thread():
            self._all.wait(60)
        self._writes += 1
        self._held[address] = Held(text, f"{self._writes}")
        return f"{self._writes}"


BROKEN: list[tuple[str, type[MemoryCredentialStore], str]] = [
    ("names_itself", NoName, "the name is 'No Name'"),
    ("can_be_used", ChangesWhenChecked, "other addresses"),
    ("has_nothing_elsewhere", HasEverything, "something is held"),
    ("closes_more_than_once", ClosesOnce, "closed twice"),
    ("shows_no_secret", Shows, "a held text is in what it shows"),
    ("keeps_a_text", SameRevision, "another text has the same revision"),
    ("keeps_any_text", Strips, "a text with white space"),
    ("keeps_a_large_text", Cuts, "is not what was put there"),
    ("changes_only_what_is_expected", TakesAnyRevision, "is not refused"),
    ("deletes", DeletesTwice, "to delete it twice is not refused"),
    ("keeps_addresses_apart", Mixes, "changed by somebody else"),
    ("lists_what_it_holds", Unsorted, "not sorted"),
]


def _named(name: str, make: Callable[[], CredentialStore]) -> CredentialStoreCheck:
    return next(check for check in credential_store_checks(make) if check.name == name)


@pytest.mark.parametrize(("name", "make", "said"), BROKEN, ids=[each.__name__ for _, each, _ in BROKEN])
def test_a_broken_promise_is_found(name: str, make: type[MemoryCredentialStore], said: str) -> None:
    store = make()
    with pytest.raises((AssertionError, CredentialConflictError), match=said):
        _named(name, lambda: store)()


def test_one_that_reads_once_is_found() -> None:
    with pytest.raises(AssertionError, match="nothing is held"):
        _named("is_shared", Remembers)()


def test_one_that_loses_races_is_found() -> None:
    store = LosesRaces()
    checks = credential_store_checks(lambda: store, at_once=4, rounds=1)
    found: list[str] = []
    for check in checks[-3:-1]:
        with pytest.raises(AssertionError) as caught:
            check()
        found.append(str(caught.value))
    assert len(found) == 2


def test_each_promise_has_a_store_that_breaks_it() -> None:
    names = {check.name for check in credential_store_checks(MemoryCredentialStore)}
    assert names - {name for name, _, _ in BROKEN} == {
        "is_shared",
        "lets_one_win",
        "loses_no_change",
        "keeps_others_at_once",
    }


class Writable(MemoryCredentialStore):
    """It says that it is not."""

    @property
    @override
    def writable(self) -> bool:
        return False


def test_one_that_says_it_is_read_only_and_is_not_is_found() -> None:
    store = Writable()
    check = next(each for each in credential_store_checks(lambda: store, holds={}) if each.name == "refuses_changes")
    with pytest.raises(AssertionError, match="it takes a text"):
        check()


class Fails(MemoryCredentialStore):
    def __init__(self, error: CredentialStoreError) -> None:
        super().__init__()
        self.down = error


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (MemoryCredentialStore, "check does not fail"),
        (lambda: Fails(CredentialStoreError("It is down")), "does not say what to do"),
    ],
    ids=["none", "no fix"],
)
def test_a_failure_of_the_wrong_kind_is_found(make: Callable[[], CredentialStore], said: str) -> None:
    check = credential_store_checks(MemoryCredentialStore, failing=make)[-1]
    with pytest.raises(AssertionError, match=said):
        check()
