"""What every credential store promises: what it is, that it can be used, how it fails, and how it refuses changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import get_args

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore, Strength
from sentient_cli.errors import CredentialStoreError
from sentient_cli.testing.conformance.store_subject import Promise, Subject, expect_held, opened, own_profile
from sentient_cli.testing.conformance.subject import expect

__all__ = ["FACTS", "READ_ONLY", "fails_with_our_errors"]

_STORE_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_LONGEST = 500
_CANARY = "canary-7Gq2XvN4sTzK9wLb"
_NOWHERE = Address("check-nowhere", "nothing")


def names_itself(subject: Subject) -> None:
    """It has a name, a strength, and one line that says where it is."""
    with opened(subject) as store, opened(subject) as other:
        expect(_STORE_ID.fullmatch(store.store_id) is not None, f"the name is {store.store_id!r}")
        expect(other.store_id == store.store_id, "another one over the same place has another name")
        expect(store.strength in get_args(Strength), f"the strength is {store.strength!r}")
        where = store.describe()
        expect(0 < len(where) <= _LONGEST and where.isprintable(), f"it describes itself as {where!r}")


def can_be_used(subject: Subject) -> None:
    """`check` passes, more than once, and changes nothing that is there."""
    with opened(subject) as store:
        before = list(store.addresses())
        store.check()
        store.check()
        expect(list(store.addresses()) == before, "other addresses are held afterwards")


def has_nothing_elsewhere(subject: Subject) -> None:
    """Where nothing was put nothing is."""
    with opened(subject) as store:
        expect(store.get(_NOWHERE) is None, "something is held at an address that nobody used")
        expect(_NOWHERE not in store.addresses(), "it lists an address that nobody used")


def closes_more_than_once(subject: Subject) -> None:
    """`close` may be called twice, before and after it was used."""
    unused = subject.make()
    unused.close()
    unused.close()
    with opened(subject) as store:
        store.get(_NOWHERE)
        store.close()


def reads_what_it_holds(subject: Subject) -> None:
    """It has what it is known to hold, always with the same revision, and lists it sorted."""
    with opened(subject) as store, opened(subject) as other:
        for address, text in subject.holds.items():
            expect_held(store, address, text)
            first, second = store.get(address), other.get(address)
            expect(first == second and first is not None, f"another one over the same place differs in {address}")
            expect(first is None or first.revision != ABSENT, "its revision is that of what is not there")
        expect(
            list(store.addresses()) == sorted(subject.holds), f"it lists {[str(each) for each in store.addresses()]}"
        )


def refuses_changes(subject: Subject) -> None:
    """It says that nothing can be put there, and changes nothing."""
    with opened(subject) as store:
        expect(not store.writable, "it says that items can be put there")
        _expect_refusal(lambda: store.put(_NOWHERE, Secret(_CANARY), expected=ABSENT), "a text")
        expect(store.get(_NOWHERE) is None, "the refused text is there")
        for address in list(store.addresses()):
            held = store.get(address)
            if held is not None:
                _expect_refusal(partial(store.delete, address, expected=held.revision), "a removal")
                expect(store.get(address) == held, f"{address} is gone or changed after a refused removal")


def _expect_refusal(change: Callable[[], object], what: str) -> None:
    try:
        change()
    except CredentialStoreError as error:
        expect(bool(error.fix), "the refusal does not say what to do")
        expect(_CANARY not in f"{error}{error!r}{error.detail}", "the text is in the error")
    else:
        raise AssertionError(f"it takes {what}")


def fails_with_our_errors(subject: Subject) -> None:
    """When it cannot be used, each method says so with a `CredentialStoreError` and what to do, and no secret."""
    if subject.failing is None:
        return
    with opened(subject, subject.failing) as store:
        expect(bool(store.describe()), "it does not say where it is")
        for name, call in _calls(store).items():
            try:
                call()
            except CredentialStoreError as error:
                expect(bool(error.fix), f"the error of {name} does not say what to do")
                expect(_CANARY not in f"{error}{error!r}{error.detail}", f"the text is in the error of {name}")
            else:
                raise AssertionError(f"{name} does not fail")


def _calls(store: CredentialStore) -> dict[str, Callable[[], object]]:
    return {
        "check": store.check,
        "get": lambda: store.get(_NOWHERE),
        "put": lambda: store.put(_NOWHERE, Secret(_CANARY), expected=ABSENT),
        "delete": lambda: store.delete(_NOWHERE, expected="no-such"),
        "addresses": store.addresses,
    }


def shows_no_secret(subject: Subject) -> None:
    """What it shows of itself has no secret in it, with something held or without."""
    with own_profile(subject) as profile, opened(subject) as store:
        shown = [f"{store!r} {store!s} {store.describe()}"]
        if store.writable:
            address = Address(profile, "canary")
            store.put(address, Secret(_CANARY), expected=ABSENT)
            try:
                store.put(address, Secret(f"{_CANARY}-2"), expected="another")
            except CredentialStoreError as error:
                shown.append(f"{error} {error!r} {error.detail}")
            shown.append(f"{store!r} {store!s} {store.describe()} {store.get(address)!r} {store.addresses()!r}")
        expect(not any(_CANARY in text for text in shown), "a held text is in what it shows of itself")


FACTS: tuple[Promise, ...] = (
    names_itself,
    can_be_used,
    has_nothing_elsewhere,
    closes_more_than_once,
    shows_no_secret,
)
READ_ONLY: tuple[Promise, ...] = (reads_what_it_holds, refuses_changes)
