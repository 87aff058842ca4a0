"""Copies between stores and profiles: first there, read back, and only then gone where it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.item import Item, fingerprint_of
from sentient_cli.credentials.keeping import Keeper, Kept, not_found
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.credentials.rotation import current_of, first, phase_of, replaced
from sentient_cli.errors import CredentialConflictError, UsageError

__all__ = ["Difference", "Drift", "move", "sync"]

Difference: TypeAlias = Literal["missing", "differs", "same", "extra"]


class Drift(NamedTuple):
    """How a credential in one place compares to that in another.

    Args:
        name: Of the credential.
        difference: ``missing`` there, it ``differs``, is the ``same``, or is ``extra``: only there, where it stays.
        source: The fingerprint of the value here; empty: there is none.
        target: The fingerprint of the value there.
        copied: Whether it was copied.

    Example:
        >>> Drift("openai", "missing", "0f2c10bf3d12").copied
        False
    """

    name: str
    difference: Difference
    source: str = ""
    target: str = ""
    copied: bool = False


def move(keeper: Keeper, address: Address, to: str) -> Kept:
    """Have another store hold a credential. Whoever is ended in the middle leaves it in both, and may do it again.

    Raises:
        UsageError: it is there already, or nothing can be put there.
        CredentialNotFoundError: no store holds it.
        CredentialConflictError: the other store holds another value, or somebody else changes it.
        CredentialStoreError: a store cannot be used.
    """
    target = keeper.store(to)
    if not target.writable:
        raise UsageError(f"Nothing can be put into the store {to}", fix="Take another one")
    there = keeper.read(target, address)
    others = [store for store in keeper.stores.values() if store is not target and store.writable]
    held = next((kept for store in others if (kept := keeper.read(store, address)) is not None), None)
    if held is None:
        if there is not None:
            return there
        return keeper.locate(address, to)  # which says that it is nowhere
    if there is None:
        there = keeper.create(target, address, held.item, "moved-in", source=held.store.store_id)
    elif there.item != held.item:
        raise CredentialConflictError(
            f"The store {to} holds another value of {address}",
            fix=f"Remove one of them: `sentient keys remove {address.name} --store {to}`",
        )
    keeper.remove(held, "moved-out", target=to)
    return there


def sync(
    keeper: Keeper,
    source: tuple[str, CredentialStore],
    target: tuple[str, CredentialStore],
    *,
    names: Iterable[str] | None = None,
    dry_run: bool = False,
) -> tuple[Drift, ...]:
    """Copy the current values of a profile in a store to a profile in a store. Nothing is removed there.

    Args:
        keeper: Reads and changes what stores hold.
        source: Profile and store that are copied from.
        target: Profile and store that are copied to.
        names: Which; all unless given.
        dry_run: Whether only the differences are told.

    Raises:
        UsageError: both are the same place, or nothing can be put there.
        CredentialNotFoundError: one that is named is in neither; nothing was copied.
        CredentialStoreError: a store cannot be used.
    """
    (from_profile, from_store), (to_profile, to_store) = source, target
    if from_profile == to_profile and from_store.store_id == to_store.store_id:
        raise UsageError("A profile in one store is no other place than itself", fix="Name another profile or store")
    if not to_store.writable and not dry_run:
        raise UsageError(f"Nothing can be put into the store {to_store.store_id}", fix="Take another one")
    wanted = None if names is None else set(names)
    here = {each.name for each in from_store.addresses() if each.profile == from_profile}
    there = {each.name for each in to_store.addresses() if each.profile == to_profile}
    for name in sorted((wanted or set[str]()) - here - there):
        raise not_found(Address(from_profile, name), [from_store.store_id], keeper.catalogue)
    keeper.record(
        "compared" if dry_run else "synced",
        f"{from_profile}>{to_profile}",
        {"from": from_store.store_id, "to": to_store.store_id},
    )
    return tuple(
        _one(keeper, name, (Address(from_profile, name), from_store), (Address(to_profile, name), to_store), dry_run)
        for name in sorted(here | there)
        if wanted is None or name in wanted
    )


def _one(
    keeper: Keeper,
    name: str,
    source: tuple[Address, CredentialStore],
    target: tuple[Address, CredentialStore],
    dry_run: bool,
) -> Drift:
    here, there = keeper.read(source[1], source[0]), keeper.read(target[1], target[0])
    mine, its = _print(here), _print(there)
    if here is None:
        return Drift(name, "extra", mine, its)
    if there is None:
        if not dry_run:
            keeper.create(target[1], target[0], _copied(keeper, here), "copied", source=str(source[0]))
        return Drift(name, "missing", mine, its, not dry_run)
    if current_of(here.item).value == current_of(there.item).value:
        return Drift(name, "same", mine, its)
    if not dry_run and phase_of(there.item) not in {"trying", "verified"}:
        current = current_of(here.item)
        item = replaced(
            there.item, Secret(current.value), keeper.new_id(), now=keeper.now(), expires_at=current.expires_at
        )
        keeper.put(there, item, "copied", source=str(source[0]))
        return Drift(name, "differs", mine, its, copied=True)
    return Drift(name, "differs", mine, its)


def _copied(keeper: Keeper, kept: Kept) -> Item:
    """The item with the current version alone: a rotation is of one place."""
    current = current_of(kept.item)
    return first(
        Secret(current.value),
        keeper.new_id(),
        now=keeper.now(),
        provider=kept.item.provider,
        expires_at=current.expires_at,
        rotate_every=kept.item.rotate_every,
        hosts=kept.item.hosts,
    )


def _print(kept: Kept | None) -> str:
    return fingerprint_of(current_of(kept.item).value) if kept is not None else ""
