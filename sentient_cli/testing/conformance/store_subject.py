"""What is checked of a credential store, and how a promise is tried."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import CredentialStore, Held
from sentient_cli.errors import CredentialConflictError
from sentient_cli.testing.conformance.subject import expect

__all__ = ["Promise", "Subject", "expect_conflict", "expect_held", "found", "opened", "own_profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked; the arguments are those of `sentient_cli.testing.credential_store_checks`."""

    make: Callable[[], CredentialStore]
    failing: Callable[[], CredentialStore] | None
    holds: Mapping[Address, str]
    largest: int
    at_once: int
    rounds: int


Promise: TypeAlias = Callable[[Subject], None]
"""Tries one promise; the first line of its docstring says what is promised."""


@contextlib.contextmanager
def opened(subject: Subject, make: Callable[[], CredentialStore] | None = None) -> Generator[CredentialStore]:
    """A store, closed at the end."""
    store = (make or subject.make)()
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def own_profile(subject: Subject) -> Generator[str]:
    """The name of a profile in which nothing is, and in which nothing is left."""
    profile = f"check-{secrets.token_hex(6)}"
    try:
        yield profile
    finally:
        with opened(subject) as store:
            for address in store.addresses():
                held = store.get(address) if address.profile.startswith(profile) else None
                if held is not None:
                    store.delete(address, expected=held.revision)


def found(store: CredentialStore, address: Address) -> Held:
    """What is held at an address.

    Raises:
        AssertionError: nothing is.
    """
    held = store.get(address)
    if held is None:
        raise AssertionError(f"nothing is held at {address}")
    return held


def expect_held(store: CredentialStore, address: Address, text: str, revision: str | None = None) -> None:
    """Go on when a text is held.

    Raises:
        AssertionError: it is not; what is held is not said.
    """
    held = found(store, address)
    expect(held.text == Secret(text), f"what is held at {address} is not what was put there")
    expect(revision in {None, held.revision}, f"its revision is {held.revision!r}, but {revision!r} was returned")


def expect_conflict(change: Callable[[], object], what: str) -> None:
    """Go on when a change is refused.

    Raises:
        AssertionError: it is made.
    """
    try:
        change()
    except CredentialConflictError:
        return
    raise AssertionError(f"{what} is not refused")
