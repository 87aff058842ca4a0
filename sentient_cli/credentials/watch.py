"""Seeing that a credential has another current value, without asking a store: a look at one file, microseconds long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import NamedTuple

from sentient_cli.credentials.catalogue import Card, Catalogue
from sentient_cli.credentials.names import Address
from sentient_cli.errors import CredentialStoreError

__all__ = ["Change", "Watch"]


class Change(NamedTuple):
    """Another value of a credential is current, or there is none any more.

    Args:
        address: Profile and name.
        store: The store that holds it.
        version: The id of the version that is current; empty: it is gone.
        fingerprint: Of its value.

    Example:
        >>> Change(Address("default", "openai"), "keyring", "").version
        ''
    """

    address: Address
    store: str
    version: str
    fingerprint: str = ""


class Watch:
    """Knows what was current when it last looked.

    Args:
        catalogue: What it looks at.
        addresses: Which credentials; all unless given.
    """

    def __init__(self, catalogue: Catalogue, addresses: Iterable[Address] | None = None) -> None:
        self._catalogue = catalogue
        self._addresses = None if addresses is None else frozenset(addresses)
        self._mark = catalogue.mark()
        self._known = self._cards() or {}

    def look(self) -> tuple[Change, ...]:
        """What has changed since the last look."""
        mark = self._catalogue.mark()
        if mark == self._mark:
            return ()
        after = self._cards()
        if after is None:
            return ()  # it is not whole at this moment
        before, self._known, self._mark = self._known, after, mark
        changed = [card for key, card in after.items() if not _is_same(before.get(key), card)]
        gone = [card for key, card in before.items() if key not in after]
        return (
            *(Change(card.address, card.store, card.version, card.fingerprint) for card in changed),
            *(Change(card.address, card.store, "") for card in gone),
        )

    def _cards(self) -> dict[tuple[str, str, str], Card] | None:
        with contextlib.suppress(CredentialStoreError):
            held = [card for card in self._catalogue.cards() if card.version or card.fingerprint]  # it was put there
            wanted = self._addresses
            return {card.key: card for card in held if wanted is None or card.address in wanted}
        return None


def _is_same(before: Card | None, card: Card) -> bool:
    return before is not None and (before.version, before.fingerprint) == (card.version, card.fingerprint)
