"""Putting a new credential into a store, or into another as strong when that is down: said, and on record."""

from __future__ import annotations

from collections.abc import Sequence

from sentient_cli.config.secret import Secret
from sentient_cli.credentials import rotation
from sentient_cli.credentials.catalogue import Card
from sentient_cli.credentials.item import Item
from sentient_cli.credentials.keeping import Keeper, card_of
from sentient_cli.credentials.look_up import is_as_strong
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.errors import CredentialConflictError, CredentialStoreError, UsageError

__all__ = ["store_item", "writable_stores"]


def writable_stores(keeper: Keeper, store_id: str | None, *, fallback: bool) -> list[CredentialStore]:
    """The stores that a new credential may go to, the first choice first.

    Raises:
        UsageError: there is none.
    """
    if store_id is not None:
        store = keeper.store(store_id)
        if not store.writable:
            raise UsageError(f"Nothing can be put into the store {store_id}", fix="Take another one")
        return [store]
    stores = [store for store in keeper.stores.values() if store.writable]
    if not stores:
        raise UsageError(
            "There is no store that a credential can be put into",
            why=f"Settings name: {', '.join(keeper.stores) or 'none'}",
            fix="Name one in `stores` in [credentials], such as `keyring` or `encrypted`",
        )
    return [stores[0], *(store for store in stores[1:] if fallback and is_as_strong(store, stores[0]))]


def store_item(
    keeper: Keeper,
    stores: Sequence[CredentialStore],
    address: Address,
    item: Item,
    *,
    replace: bool,
    rebind: bool = True,
) -> Card:
    """Put an item into the first of these stores that can be used.

    Args:
        keeper: Reads and changes what stores hold.
        stores: The stores.
        address: Where.
        item: What.
        replace: Whether it takes the place of one that is there.
        rebind: Whether it is bound to other hosts then, if that one was bound to some.

    Raises:
        CredentialConflictError: there is one already and it is not to be replaced, or a rotation of it goes on.
        CredentialStoreError: none of them can be used.
    """
    fault: CredentialStoreError | None = None
    for store in stores:
        try:
            kept = keeper.read(store, address)
            if fault is not None:
                keeper.record("fallback", address, {"from": stores[0].store_id, "to": store.store_id})
            if kept is None:
                kept = keeper.create(store, address, item, "stored")
            else:
                kept = keeper.put(kept, _in_place(kept.item, item, address, replace=replace, rebind=rebind), "replaced")
        except CredentialConflictError:
            raise
        except CredentialStoreError as error:
            fault = fault or error
            continue
        if fault is not None:
            keeper.tell(f"{fault.what}. {address} was put into {store.store_id}, which is as strong")
        return card_of(address, store.store_id, kept.item)
    if fault is None:
        raise UsageError("There is no store that a credential can be put into")
    others = [store.store_id for store in keeper.stores.values() if store.writable and store not in stores]
    if others:
        fix = f"Or choose a weaker one yourself: `--store {others[0]}`"
        raise CredentialStoreError(
            fault.what, why=fault.why, fix=f"{fault.fix}. {fix}" if fault.fix else fix
        ) from fault
    raise fault


def _in_place(held: Item, item: Item, address: Address, *, replace: bool, rebind: bool) -> Item:
    if not replace:
        raise CredentialConflictError(
            f"There is a credential {address} already",
            fix="Pass `--yes` to put this in its place, or keep both for a while with `sentient keys rotate`",
        )
    current = rotation.current_of(item)
    after = rotation.replaced(held, _value(item), current.id, now=current.created_at, expires_at=current.expires_at)
    return rotation.about(
        after,
        provider=item.provider or held.provider,
        rotate_every=item.rotate_every or held.rotate_every,
        hosts=item.hosts or held.hosts if rebind else held.hosts or item.hosts,
    )


def _value(item: Item) -> Secret:
    """The value that calls use."""
    return Secret(rotation.current_of(item).value)
