"""What a credential store promises of its changes, one after another: kept as it is, apart, and only when expected."""

from __future__ import annotations

import string
from functools import partial
from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT
from sentient_cli.testing.conformance.store_subject import (
    Promise,
    Subject,
    expect_conflict,
    expect_held,
    found,
    opened,
    own_profile,
)
from sentient_cli.testing.conformance.subject import expect

__all__ = ["CHANGES"]

_TEXTS: Final = {
    "letters": "sk-0123456789abcdefABCDEF",
    "punctuation": string.punctuation,
    "quotes": "\"'`\\\"\\' \\\\ %s %(x)s {x} $HOME $(id) #;",
    "white space": " \t inner  and  outer \t ",
    "line breaks": "-----BEGIN KEY-----\nabc\r\ndef\n-----END KEY-----\n",
    "an object": '{"format":"x","versions":[{"value":"\\"\\\\"}],"n":1.50}',
    "other scripts": "Übergröße ключ κλειδί מפתח 鍵 🔑 e\u0301",
    "one character": "x",
}
_NEIGHBOURS: Final = ("a", "a.b", "a-b", "a_b", "ab", "a.b.c", "index", "0", "x" * 64)


def keeps_a_text(subject: Subject) -> None:
    """What is put there is there, with the revision that was returned, also for whoever opens it anew."""
    with own_profile(subject) as profile:
        address = Address(profile, "openai")
        with opened(subject) as store:
            expect(store.writable, "it says that nothing can be put there")
            revision = store.put(address, Secret("first"), expected=ABSENT)
            expect(revision != ABSENT, "the revision is that of what is not there")
            expect_held(store, address, "first", revision)
        with opened(subject) as store:
            expect_held(store, address, "first", revision)
            second = store.put(address, Secret("second"), expected=revision)
            expect(second not in {revision, ABSENT}, "another text has the same revision")
            expect_held(store, address, "second", second)
        with opened(subject) as store:
            expect_held(store, address, "second", second)


def keeps_any_text(subject: Subject) -> None:
    """A text stays as it is, whatever is in it: quotes, line breaks, white space, other scripts."""
    with own_profile(subject) as profile, opened(subject) as store:
        for number, (what, text) in enumerate(_TEXTS.items()):
            address = Address(profile, f"text-{number}")
            store.put(address, Secret(text), expected=ABSENT)
            held = found(store, address)
            expect(held.text == Secret(text), f"a text with {what} is another when it is read")


def keeps_a_large_text(subject: Subject) -> None:
    """A large text stays whole, also when it takes the place of a small one, and a small one that of a large one."""
    large = ("0123456789abcdef" * (subject.largest // 16 + 1))[: subject.largest]
    with own_profile(subject) as profile, opened(subject) as store:
        address = Address(profile, "large")
        revision = ABSENT
        for text in ("small", large, large[::-1], "small again"):
            revision = store.put(address, Secret(text), expected=revision)
            expect_held(store, address, text, revision)
        store.delete(address, expected=revision)
        expect(store.get(address) is None, "it is there after it was deleted")


def changes_only_what_is_expected(subject: Subject) -> None:
    """A change that expects something else than is there is refused, and nothing is changed."""
    with own_profile(subject) as profile, opened(subject) as store:
        address = Address(profile, "openai")
        expect_conflict(lambda: store.put(address, Secret("x"), expected="no-such"), "a change of what is not there")
        expect_conflict(lambda: store.delete(address, expected="no-such"), "a removal of what is not there")
        expect(store.get(address) is None, "a refused change was made")
        first = store.put(address, Secret("first"), expected=ABSENT)
        second = store.put(address, Secret("second"), expected=first)
        for expected in (ABSENT, first, "no-such"):
            expect_conflict(
                partial(store.put, address, Secret("third"), expected=expected),
                f"a change that expects {'nothing' if expected == ABSENT else 'an older revision'}",
            )
            expect_conflict(partial(store.delete, address, expected=expected), "a removal")
        expect_held(store, address, "second", second)


def deletes(subject: Subject) -> None:
    """What is deleted is gone, and can be put there anew; to delete what is not there, and expected so, is nothing."""
    with own_profile(subject) as profile, opened(subject) as store:
        address = Address(profile, "openai")
        store.delete(address, expected=ABSENT)
        first = store.put(address, Secret("first"), expected=ABSENT)
        store.delete(address, expected=first)
        expect(store.get(address) is None, "it is there after it was deleted")
        expect(address not in store.addresses(), "it is listed after it was deleted")
        expect_conflict(lambda: store.delete(address, expected=first), "to delete it twice")
        second = store.put(address, Secret("second"), expected=ABSENT)
        expect_held(store, address, "second", second)


def keeps_addresses_apart(subject: Subject) -> None:
    """Addresses that are alike are not the same, and what is done to one leaves the others."""
    with own_profile(subject) as profile, opened(subject) as store:
        places = [Address(each, name) for each in (profile, f"{profile}.b", f"{profile}-b") for name in _NEIGHBOURS]
        revisions = {place: store.put(place, Secret(f"text of {place}"), expected=ABSENT) for place in places}
        for place, revision in revisions.items():
            expect_held(store, place, f"text of {place}", revision)
        for place in places[::2]:
            store.delete(place, expected=revisions[place])
        for place in places[::2]:
            expect(store.get(place) is None, f"{place.name} is there after it was deleted")
        for place in places[1::2]:
            expect_held(store, place, f"text of {place}", revisions[place])


def lists_what_it_holds(subject: Subject) -> None:
    """It lists every address once, sorted, also for whoever opens it anew."""
    with own_profile(subject) as profile:
        places = sorted(Address(profile, name) for name in _NEIGHBOURS)
        with opened(subject) as store:
            for place in reversed(places):
                revision = store.put(place, Secret("first"), expected=ABSENT)
                store.put(place, Secret("second"), expected=revision)
        with opened(subject) as store:
            listed = list(store.addresses())
            expect(listed == sorted(set(listed)), "the list is not sorted, or has an address twice")
            expect([each for each in listed if each.profile == profile] == places, "the list has other addresses")


def is_shared(subject: Subject) -> None:
    """Two that are open over one place see each other's changes, and the later one of two changes is refused."""
    with own_profile(subject) as profile, opened(subject) as one, opened(subject) as two:
        address = Address(profile, "openai")
        first = one.put(address, Secret("first"), expected=ABSENT)
        expect_held(two, address, "first", first)
        second = two.put(address, Secret("second"), expected=first)
        expect_held(one, address, "second", second)
        expect_conflict(
            lambda: one.put(address, Secret("third"), expected=first), "a change of what another one changed"
        )
        two.delete(address, expected=second)
        expect(one.get(address) is None, "what another one deleted is there")
        expect(address not in one.addresses(), "what another one deleted is listed")


CHANGES: tuple[Promise, ...] = (
    keeps_a_text,
    keeps_any_text,
    keeps_a_large_text,
    changes_only_what_is_expected,
    deletes,
    keeps_addresses_apart,
    lists_what_it_holds,
    is_shared,
)
