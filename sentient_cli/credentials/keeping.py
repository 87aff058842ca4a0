"""Changes of what stores hold: told to the audit log first, one compare-and-set write, then noted in the catalogue."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from sentient_cli.audit import Event
from sentient_cli.clock import Clock, Ids
from sentient_cli.credentials.catalogue import Card, Cards, Catalogue
from sentient_cli.credentials.item import Item, Version, decode_item, encode_item, fingerprint_of
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import ABSENT, CredentialStore
from sentient_cli.credentials.rotation import check_item, current_of, phase_of
from sentient_cli.errors import CredentialNotFoundError, CredentialStoreError, SentientError, UsageError
from sentient_cli.redact import redactor

__all__ = ["Audits", "Keeper", "Kept", "card_of", "not_found"]

_NOTED_AGAIN: Final = 60_000_000_000
"""Nanoseconds after which another use of a credential is noted."""
_logger = logging.getLogger(__name__)


class Audits(Protocol):
    """What is told of every access, such as an `sentient_cli.audit.AuditLog`."""

    def append(self, *events: Event) -> object:
        """Return once they are on disk.

        Raises:
            AuditError: they are not.
        """
        ...


class Kept(NamedTuple):
    """What a store holds for a credential, and its revision."""

    store: CredentialStore
    address: Address
    item: Item
    revision: str


class Keeper:
    """Reads and changes what stores hold. For one thread at a time: whoever uses it has its lock.

    Args:
        stores: In the order in which they are asked.
        catalogue: Notes what there is.
        audit: Is told before anything is done.
        clock: What the time is.
        ids: Where ids of versions come from.
        tell: Is told what people should know.
    """

    def __init__(
        self,
        stores: Sequence[CredentialStore],
        catalogue: Catalogue,
        audit: Audits,
        clock: Clock,
        ids: Ids,
        tell: Callable[[str], None],
    ) -> None:
        self.stores: Mapping[str, CredentialStore] = {store.store_id: store for store in stores}
        self.catalogue: Catalogue = catalogue
        self.lock: threading.RLock = threading.RLock()
        self.tell: Callable[[str], None] = tell
        self._audit = audit
        self._clock = clock
        self._ids = ids

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return self._clock.now_ns()

    def new_id(self) -> str:
        """An id for a version."""
        return self._ids.ulid_text()

    def record(self, action: str, address: Address | str, data: Mapping[str, str | int] | None = None) -> None:
        """Tell the audit log.

        Raises:
            AuditError: it cannot be told; do nothing then.
        """
        self._audit.append(Event("credential", action, str(address), dict(data or {})))

    def store(self, store_id: str) -> CredentialStore:
        """A store by its id.

        Raises:
            UsageError: it is not among those that settings name.
        """
        if store_id in self.stores:
            return self.stores[store_id]
        raise UsageError(
            f"There is no store {store_id!r:.60}",
            why=f"Those in use are: {', '.join(self.stores) or 'none'}",
            fix="Name it in `stores` in [credentials], or take one of these",
        )

    def read(self, store: CredentialStore, address: Address) -> Kept | None:
        """What a store holds at an address; None: nothing.

        Raises:
            CredentialStoreError: it cannot be asked, or what it holds is not whole.
        """
        held = store.get(address)
        if held is None:
            return None
        item = check_item(decode_item(held.text))
        for version in item.versions:
            redactor.register(version.value)
        return Kept(store, address, item, held.revision)

    def locate(self, address: Address, store_id: str | None = None) -> Kept:
        """Where a credential is kept: in the store that is named, else in the first that holds it.

        Raises:
            CredentialNotFoundError: it is in none of them.
            CredentialStoreError: one that may hold it is down.
        """
        stores = [self.store(store_id)] if store_id is not None else list(self.stores.values())
        fault: CredentialStoreError | None = None
        for store in stores:
            if store_id is None and not store.writable:
                continue
            try:
                kept = self.read(store, address)
            except CredentialStoreError as error:
                fault = fault or error
                continue
            if kept is not None:
                return kept
        if fault is not None:
            raise fault
        raise not_found(address, [store.store_id for store in stores], self.catalogue)

    def put(self, kept: Kept, item: Item, action: str, **data: str | int) -> Kept:
        """Have a store hold another item, if it still holds what was read.

        Raises:
            AuditError: it cannot be told; nothing was changed.
            CredentialConflictError: somebody else has changed it meanwhile.
            CredentialStoreError: the store cannot be used.
        """
        # What only the catalogue knows of a value would be lost with the next one.
        return self._put(kept.store, kept.address, self._checked(kept, item), kept.revision, action, data)

    def create(self, store: CredentialStore, address: Address, item: Item, action: str, **data: str | int) -> Kept:
        """Have a store hold an item where there is nothing.

        Raises:
            AuditError: it cannot be told; nothing was changed.
            CredentialConflictError: there is something.
            CredentialStoreError: the store cannot be used.
        """
        if not any(card.store == store.store_id for card in self.catalogue.find(address)):
            # Whoever is ended behind the next line leaves a hint where to look.
            self.catalogue.put(Card(profile=address.profile, name=address.name, store=store.store_id))
        try:
            return self._put(store, address, item, ABSENT, action, data)
        except BaseException:  # also when nobody wants to give a passphrase
            if store.strength == "passphrase":
                self._drop_hint(store, address)
            raise

    def _drop_hint(self, store: CredentialStore, address: Address) -> None:
        """Have no card of what is surely not there."""
        with contextlib.suppress(SentientError):
            if store.get(address) is None:
                self.catalogue.remove(address, store.store_id)

    def _put(
        self,
        store: CredentialStore,
        address: Address,
        item: Item,
        revision: str,
        action: str,
        data: Mapping[str, str | int],
    ) -> Kept:
        check_item(item)
        for version in item.versions:
            redactor.register(version.value)
        told = _newest(item)
        about = {"store": store.store_id, "version": told.id, "fingerprint": fingerprint_of(told.value), **data}
        self.record(action, address, about)
        try:
            revision = store.put(address, encode_item(item), expected=revision)
        except SentientError as error:
            self._record_failure(action, address, store, error)
            raise
        self.note(card_of(address, store.store_id, item))
        return Kept(store, address, item, revision)

    def remove(self, kept: Kept, action: str, **data: str | int) -> None:
        """Have a store hold nothing for a credential any more, if it still holds what was read.

        Raises:
            AuditError: it cannot be told; nothing was changed.
            CredentialConflictError: somebody else has changed it meanwhile.
            CredentialStoreError: the store cannot be used.
        """
        self.record(action, kept.address, {"store": kept.store.store_id, **data})
        try:
            kept.store.delete(kept.address, expected=kept.revision)
        except SentientError as error:
            self._record_failure(action, kept.address, kept.store, error)
            raise
        self._change_catalogue(
            lambda held: {k: v for k, v in held.items() if k != (*kept.address, kept.store.store_id)}
        )

    def note(self, card: Card, *, used: bool = False) -> None:
        """Have the catalogue say what is known now. It may fail: stores are the truth.

        Args:
            card: What is known.
            used: Whether it was resolved just now, and not changed: what was noted of a later value stays.
        """
        now = self.now()

        def step(held: Cards) -> Cards:
            there = held.get(card.key)
            is_later = used and there is not None and there.changed_at > card.changed_at
            newest = there if is_later and there is not None else card
            same = (each for each in held.values() if each.address == newest.address and each.version == newest.version)
            verified = max((each.verified_at for each in same), default=0)
            newest = msgspec.structs.replace(newest, verified_at=max(newest.verified_at, verified))
            last = there.used_at if there is not None else 0
            if used and not last <= now < last + _NOTED_AGAIN:
                last = now
            return {**held, card.key: msgspec.structs.replace(newest, used_at=last)}

        self._change_catalogue(step)

    def note_verified(self, address: Address, store_id: str, version: str) -> None:
        """Have the catalogue say that the provider took a value just now, if that is still the current one."""
        now = self.now()

        def step(held: Cards) -> Cards:
            there = held.get((address.profile, address.name, store_id))
            if there is None or there.version != version:
                return held
            return {**held, there.key: msgspec.structs.replace(there, verified_at=now)}

        self._change_catalogue(step)

    def with_checks(self, kept: Kept) -> Item:
        """The item, with when its current value was last tried."""
        return self._checked(kept, kept.item)

    def _checked(self, kept: Kept, item: Item) -> Item:
        noted: dict[str, int] = {}
        with contextlib.suppress(CredentialStoreError):
            cards = self.catalogue.find(kept.address)
            noted = {card.version: card.verified_at for card in cards if card.store == kept.store.store_id}
        versions = tuple(
            msgspec.structs.replace(each, verified_at=max(each.verified_at, noted.get(each.id, 0)))
            for each in item.versions
        )
        return msgspec.structs.replace(item, versions=versions)

    def _change_catalogue(self, step: Callable[[Cards], Cards]) -> None:
        try:
            self.catalogue.change(step)
        except CredentialStoreError as error:
            _logger.warning("The catalogue of credentials is behind: %s", error)

    def _record_failure(self, action: str, address: Address, store: CredentialStore, error: SentientError) -> None:
        with contextlib.suppress(SentientError):
            self.record("failed", address, {"action": action, "store": store.store_id, "error": error.code})


def card_of(address: Address, store_id: str, item: Item) -> Card:
    """What the catalogue says of an item."""
    current, previous = current_of(item), item.version("previous")
    return Card(
        profile=address.profile,
        name=address.name,
        store=store_id,
        provider=item.provider,
        version=current.id,
        fingerprint=fingerprint_of(current.value),
        phase=phase_of(item),
        created_at=item.created_at,
        changed_at=current.created_at,
        verified_at=current.verified_at,
        expires_at=current.expires_at,
        retire_at=previous.retire_at if previous is not None else 0,
        rotate_every=item.rotate_every,
        hosts=item.hosts,
    )


def not_found(address: Address, stores: Sequence[str], catalogue: Catalogue) -> CredentialNotFoundError:
    """The error of a credential that no store holds, with near names.

    Args:
        address: Where it was looked for.
        stores: The ids of the stores that were asked.
        catalogue: Knows others.
    """
    import difflib  # noqa: PLC0415 - only where something is missing

    cards: tuple[Card, ...] = ()
    with contextlib.suppress(CredentialStoreError):
        cards = catalogue.cards()
    elsewhere = sorted(
        {card.profile for card in cards if card.name == address.name and card.profile != address.profile}
    )
    begun = any(card.address == address and card.is_begun for card in cards)
    others = {card.name for card in cards if card.profile == address.profile} - {address.name}
    near = difflib.get_close_matches(address.name, others, 1)
    profiles = difflib.get_close_matches(address.profile, {card.profile for card in cards}, 1)
    hints = [f"Did you mean `{near[0]}`?"] if near else []
    if profiles and profiles[0] != address.profile and address.profile not in {card.profile for card in cards}:
        hints.append(f"Did you mean the profile `{profiles[0]}`?")
    if elsewhere:
        hints.append(f"There is one in the profile {', '.join(f'`{each}`' for each in elsewhere[:3])}.")
    return CredentialNotFoundError(
        f"There is no credential {address.name!r} in the profile {address.profile!r}",
        why=f"Looked into: {', '.join(stores) or 'no store'}"
        + ("; storing it was begun, and not finished" if begun else ""),
        fix=" ".join([*hints, f"Store it with `sentient keys set {address.name} --profile {address.profile}`"]),
    )


def _newest(item: Item) -> Version:
    return item.version("next") or current_of(item)
