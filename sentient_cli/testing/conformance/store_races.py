"""What a credential store promises of changes at the same time: one of them is made, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore
from sentient_cli.errors import CredentialConflictError
from sentient_cli.testing.conformance.store_subject import Promise, Subject, expect_held, found, opened, own_profile
from sentient_cli.testing.conformance.subject import expect

__all__ = ["RACES"]

_T = TypeVar("_T")


def _at_once(subject: Subject, work: Callable[[CredentialStore, int], _T]) -> list[_T]:
    """Have several work at the same time, each with a store of its own."""

    def worked(number: int) -> _T:
        with opened(subject) as store:
            return work(store, number)

    with ThreadPoolExecutor(subject.at_once) as pool:
        return list(pool.map(worked, range(subject.at_once)))


def lets_one_win(subject: Subject) -> None:
    """Of several changes at the same time that expect the same, one is made and the others are refused."""
    with own_profile(subject) as profile, opened(subject) as store:
        address = Address(profile, "openai")
        expected = ABSENT
        for turn in range(subject.rounds):

            def tried(own: CredentialStore, number: int, turn: int = turn, expected: str = expected) -> str:
                try:
                    return own.put(address, Secret(f"{turn} by {number}"), expected=expected)
                except CredentialConflictError:
                    return ABSENT

            revisions = _at_once(subject, tried)
            winners = [number for number, revision in enumerate(revisions) if revision != ABSENT]
            expect(len(winners) == 1, f"{len(winners)} of {subject.at_once} changes at the same time were made")
            expected = revisions[winners[0]]
            expect_held(store, address, f"{turn} by {winners[0]}", expected)


def loses_no_change(subject: Subject) -> None:
    """Whoever reads, changes and tries again when refused loses nothing to others that do the same."""
    with own_profile(subject) as profile, opened(subject) as store:
        address = Address(profile, "counter")
        store.put(address, Secret("0"), expected=ABSENT)

        def count(own: CredentialStore, _number: int) -> None:
            for _ in range(subject.rounds):
                _add_one(own, address)

        _at_once(subject, count)
        total = found(store, address).text.reveal()
        expect(total == str(subject.at_once * subject.rounds), f"{total} of the changes are there")


def _add_one(store: CredentialStore, address: Address) -> None:
    while True:
        held = found(store, address)
        try:
            store.put(address, Secret(str(int(held.text.reveal()) + 1)), expected=held.revision)
        except CredentialConflictError:
            continue
        return


def keeps_others_at_once(subject: Subject) -> None:
    """Changes of different addresses at the same time are all made, and all of them are listed."""
    with own_profile(subject) as profile, opened(subject) as store:

        def fill(own: CredentialStore, number: int) -> None:
            for turn in range(subject.rounds):
                own.put(Address(profile, f"own-{number}-{turn}"), Secret(f"{number} {turn}"), expected=ABSENT)

        _at_once(subject, fill)
        for number in range(subject.at_once):
            for turn in range(subject.rounds):
                expect_held(store, Address(profile, f"own-{number}-{turn}"), f"{number} {turn}")
        listed = sum(address.profile == profile for address in store.addresses())
        expect(listed == subject.at_once * subject.rounds, f"{listed} addresses are listed")


RACES: tuple[Promise, ...] = (lets_one_win, loses_no_change, keeps_others_at_once)
