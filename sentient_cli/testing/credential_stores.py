"""Checks a credential store of your own against what `sentient_cli.credentials.ports.CredentialStore` promises.

Example:
    >>> from sentient_cli.testing import MemoryCredentialStore, credential_store_checks
    >>> store = MemoryCredentialStore()
    >>> [check.name for check in credential_store_checks(lambda: store)][:2]
    ['names_itself', 'can_be_used']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.testing.conformance.check import Check
from sentient_cli.testing.conformance.store_changes import CHANGES
from sentient_cli.testing.conformance.store_facts import FACTS, READ_ONLY, fails_with_our_errors
from sentient_cli.testing.conformance.store_races import RACES
from sentient_cli.testing.conformance.store_subject import Subject

__all__ = ["CredentialStoreCheck", "credential_store_checks"]


@dataclass(frozen=True, slots=True)
class CredentialStoreCheck(Check[Subject, None]):
    """One promise of the protocol, to be tried on one store; `credential_store_checks` makes them. Call it.

    Example:
        >>> from sentient_cli.testing import MemoryCredentialStore
        >>> store = MemoryCredentialStore()
        >>> check = credential_store_checks(lambda: store)[0]
        >>> check.name, check.promise
        ('names_itself', 'It has a name, a strength, and one line that says where it is.')
        >>> check()
    """

    def __call__(self) -> None:
        """Try it, and leave nothing of it in the store.

        Raises:
            AssertionError: the promise is broken; it says how.
        """
        try:
            self._promise(self._subject)
        except AssertionError as error:
            raise AssertionError(f"{error}. {self.promise}") from error


def credential_store_checks(
    make: Callable[[], CredentialStore],
    *,
    failing: Callable[[], CredentialStore] | None = None,
    holds: Mapping[Address, str] | None = None,
    largest: int = 200_000,
    at_once: int = 4,
    rounds: int = 3,
) -> tuple[CredentialStoreCheck, ...]:
    """The checks of a store, for ``pytest.mark.parametrize``. Each opens stores of its own and closes them.

    What is put there has profiles that begin with ``check-`` and is deleted again, so that a store in use can be
    checked too.

    Args:
        make: Opens a store, always over the same place: what one has put there, the next one finds.
        failing: Opens one that cannot be used, such as one that is locked; without it failures are not checked.
        holds: For a store that nothing can be put into: what it is known to hold. The checks are others then.
        largest: Characters of a text that it must take.
        at_once: How many change it at the same time.
        rounds: How often each of them does.

    Example:
        >>> from sentient_cli.testing import MemoryCredentialStore
        >>> store = MemoryCredentialStore()
        >>> for check in credential_store_checks(lambda: store):
        ...     check()
    """
    subject = Subject(make=make, failing=failing, holds=holds or {}, largest=largest, at_once=at_once, rounds=rounds)
    promises = (*FACTS, *READ_ONLY) if holds is not None else (*FACTS, *CHANGES, *RACES)
    failures = (fails_with_our_errors,) if failing is not None else ()
    return tuple(CredentialStoreCheck(promise, subject) for promise in (*promises, *failures))
