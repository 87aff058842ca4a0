"""Making the catalogue anew from the stores."""

from __future__ import annotations

import contextlib

import msgspec

from sentient_cli.credentials.catalogue import Card
from sentient_cli.credentials.keeping import Keeper, card_of
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.errors import CredentialStoreError

__all__ = ["rebuild"]


def rebuild(keeper: Keeper) -> tuple[Card, ...]:
    """Read all that stores hold, and have the catalogue say so.

    Raises:
        CredentialStoreError: the catalogue cannot be written.
        AuditError: it cannot be told to the audit log.
    """
    noted: tuple[Card, ...] = ()
    with contextlib.suppress(CredentialStoreError):  # one that is not whole is what this is for
        noted = keeper.catalogue.cards()
    keeper.record("catalogued", "", {"stores": ", ".join(keeper.stores)})
    before = {card.key: card for card in noted}
    cards = [card for card in noted if card.store not in keeper.stores]
    for store in keeper.stores.values():
        if not store.writable:
            continue
        try:
            found = _cards_of(keeper, store)
        except CredentialStoreError as error:
            keeper.tell(f"The store {store.store_id} was left as it was noted: {error.what}")
            found = [card for card in noted if card.store == store.store_id]
        cards += [_with_what_was_noted(card, before.get(card.key)) for card in found]
    keeper.catalogue.renew(cards)
    return keeper.catalogue.cards()


def _with_what_was_noted(card: Card, before: Card | None) -> Card:
    """The card, with what no store knows."""
    if before is None:
        return card
    verified = before.verified_at if before.version == card.version else 0
    return msgspec.structs.replace(card, used_at=before.used_at, verified_at=max(card.verified_at, verified))


def _cards_of(keeper: Keeper, store: CredentialStore) -> list[Card]:
    cards: list[Card] = []
    for address in store.addresses():
        try:
            kept = keeper.read(store, address)
        except CredentialStoreError as error:
            keeper.tell(f"{address} in {store.store_id} is left out: {error.what}")
            continue
        if kept is not None:
            cards.append(card_of(address, store.store_id, kept.item))
    return cards
