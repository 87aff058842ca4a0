"""The one door to credentials: named secrets in profiles, kept in stores, found in a declared order, on the record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Self

from sentient_cli.config.secret import Secret
from sentient_cli.credentials import allowing, moving, rotation
from sentient_cli.credentials.catalogue import Card
from sentient_cli.credentials.destinations import check_hosts
from sentient_cli.credentials.explained import StoreState
from sentient_cli.credentials.finding import Policy
from sentient_cli.credentials.keeping import card_of
from sentient_cli.credentials.moving import Drift
from sentient_cli.credentials.names import check_profile
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.credentials.rebuilding import rebuild
from sentient_cli.credentials.rotator import Rotator
from sentient_cli.credentials.storing import store_item, writable_stores
from sentient_cli.credentials.values import check_value
from sentient_cli.errors import CredentialStoreError
from sentient_cli.redact import redactor

__all__ = ["CredentialManager", "Policy"]


class CredentialManager(Rotator):
    """Stores, finds, rotates and watches credentials. For any number of threads.

    What it does blocks: it may ask a keyring or a network, and the audit log is on disk before anything is handed out.
    Within a loop, use the methods whose names end in ``_async``.

    Args:
        stores: Where credentials are kept, in the order in which they are asked. They are closed with this.
        profile: The profile that is meant where none is named.
        refusal: Says why what is stored in that profile is left alone, where only a project names it and its user has
            not agreed; None: its user means it.
        policy: How they are looked for and kept.
        variables: The variables that may hold the credential of a name.
        hosts_of: Where a provider is, which a new credential of it is bound to; empty: not known.
        catalogue: Notes what there is; that of this user unless given.
        audit: Is told of every access; the audit log of this user unless given.
        clock: What the time is.
        ids: Where ids of versions come from.
        tell: Is told what people should know, such as that another store was taken; logged unless given.

    Example:
        >>> import tempfile
        >>> from sentient_cli.testing import MemoryCredentialStore, credentials_in
        >>> with tempfile.TemporaryDirectory() as folder, credentials_in(folder, MemoryCredentialStore()) as manager:
        ...     card = manager.store("openai", Secret("sk-1"))
        ...     lease = manager.get("openai")
        ...     card.store, lease.source, lease.secret, lease.secret.reveal()
        ('memory', 'the store memory', Secret('**********'), 'sk-1')
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def store(
        self,
        name: str,
        value: Secret,
        *,
        profile: str | None = None,
        store: str | None = None,
        provider: str = "",
        hosts: Iterable[str] | None = None,
        expires_at: int = 0,
        rotate_every: int = 0,
        replace: bool = False,
        raw: bool = False,
    ) -> Card:
        """Keep a credential.

        Args:
            name: What it is called, most often like its provider.
            value: Its value.
            profile: In which profile; the chosen one unless given.
            store: In which store; the first that can be written to unless given.
            provider: Whose key it is; nobody's in particular unless given.
            hosts: Where it may be sent; unless given, as it was before, else where its provider is.
            expires_at: When it ends by itself, in nanoseconds since the epoch; 0: unknown.
            rotate_every: Seconds after which it is due to be rotated; 0: never.
            replace: Whether it takes the place of one that is there.
            raw: Whether the value is kept as it is, line breaks too.

        Raises:
            UsageError: the name, profile, store or value cannot be.
            CredentialConflictError: there is one already, or a rotation of it goes on.
            CredentialStoreError: the store cannot be used, and none as strong stands in for it.
            AuditError: it cannot be told to the audit log; nothing was kept.
        """
        address = self.address(name, profile)
        kept, said = check_value(value, raw=raw)
        redactor.register(kept.reveal())
        with self._keeper.lock:
            self._protect()
            bound = self._hosts_of(provider or name) if hosts is None else check_hosts(hosts)
            item = rotation.first(
                kept,
                self._keeper.new_id(),
                now=self._keeper.now(),
                provider=provider,
                expires_at=expires_at,
                rotate_every=rotate_every,
                hosts=bound,
            )
            stores = writable_stores(self._keeper, store, fallback=self.policy.fallback)
            card = store_item(self._keeper, stores, address, item, replace=replace, rebind=hosts is not None)
            self._leases.forget(address)
        if said:
            self._keeper.tell(said)
        return card

    def allow(
        self, name: str, *hosts: str, profile: str | None = None, store: str | None = None, remove: bool = False
    ) -> Card:
        """Have a credential bound to further hosts: wherever else it is to be sent, it is refused.

        Args:
            name: Which.
            hosts: The hosts, such as ``models.example.com``, or addresses.
            profile: In which profile; the chosen one unless given.
            store: In which store; the first that holds it unless given.
            remove: Whether these are taken away instead.

        Raises:
            UsageError: one is no host, they are too many, or none would be left.
            CredentialNotFoundError: no store holds it.
            CredentialConflictError: somebody else changes it.
            CredentialStoreError: the store cannot be used.
            AuditError: it cannot be told to the audit log; nothing was changed.
        """
        address = self.address(name, profile)
        wanted = check_hosts(hosts)
        with self._keeper.lock:
            kept = allowing.allow(self._keeper, address, wanted, store=store, remove=remove)
            self._leases.forget(address)
            return card_of(address, kept.store.store_id, kept.item)

    def delete(self, name: str, *, profile: str | None = None, store: str | None = None) -> str:
        """Remove a credential with all its versions from one store, and return the id of that store.

        Raises:
            CredentialNotFoundError: no store holds it.
            CredentialConflictError: somebody else changes it.
            CredentialStoreError: the store cannot be used.
            AuditError: it cannot be told to the audit log; nothing was removed.
        """
        address = self.address(name, profile)
        with self._keeper.lock:
            kept = self._keeper.locate(address, store)
            self._keeper.remove(kept, "deleted")
            self._leases.forget(address)
            return kept.store.store_id

    def move(self, name: str, *, to: str, profile: str | None = None) -> Card:
        """Have another store hold a credential, with all its versions.

        Raises:
            UsageError: nothing can be put there.
            CredentialNotFoundError: no store holds it.
            CredentialConflictError: the other store holds another value.
            CredentialStoreError: a store cannot be used.
            AuditError: it cannot be told to the audit log.
        """
        address = self.address(name, profile)
        with self._keeper.lock:
            kept = moving.move(self._keeper, address, to)
            self._leases.forget(address)
            return card_of(address, kept.store.store_id, kept.item)

    def sync(
        self,
        *,
        from_profile: str | None = None,
        to_profile: str | None = None,
        from_store: str | None = None,
        to_store: str | None = None,
        names: Iterable[str] | None = None,
        dry_run: bool = False,
    ) -> tuple[Drift, ...]:
        """Copy current values between profiles and stores, and tell how they compared. Nothing is removed.

        Args:
            from_profile: Copied from; the chosen one unless given.
            to_profile: Copied to; the chosen one unless given.
            from_store: Copied from; the first store unless given.
            to_store: Copied to; the store that is copied from unless given.
            names: Which credentials; all unless given.
            dry_run: Whether only the differences are told.

        Raises:
            UsageError: both are the same place.
            CredentialNotFoundError: one that is named is in neither; nothing was copied.
            CredentialStoreError: a store cannot be used.
            AuditError: it cannot be told to the audit log.
        """
        if from_profile is None or to_profile is None:
            self._require_agreed()
        with self._keeper.lock:
            first = (
                writable_stores(self._keeper, None, fallback=False)[0].store_id if from_store is None else from_store
            )
            source, target = self._keeper.store(first), self._keeper.store(to_store or first)
            drifts = moving.sync(
                self._keeper,
                (self.profile if from_profile is None else check_profile(from_profile), source),
                (self.profile if to_profile is None else check_profile(to_profile), target),
                names=names,
                dry_run=dry_run,
            )
            self._leases.forget()
            return drifts

    async def store_async(
        self,
        name: str,
        value: Secret,
        *,
        profile: str | None = None,
        store: str | None = None,
        provider: str = "",
        hosts: Iterable[str] | None = None,
        expires_at: int = 0,
        rotate_every: int = 0,
        replace: bool = False,
        raw: bool = False,
    ) -> Card:
        """The same as `store`, in a thread. Whoever cancels it does not know whether it was done."""
        return await asyncio.to_thread(
            self.store,
            name,
            value,
            profile=profile,
            store=store,
            provider=provider,
            hosts=hosts,
            expires_at=expires_at,
            rotate_every=rotate_every,
            replace=replace,
            raw=raw,
        )

    async def delete_async(self, name: str, *, profile: str | None = None, store: str | None = None) -> str:
        """The same as `delete`, in a thread. Whoever cancels it does not know whether it was done."""
        return await asyncio.to_thread(self.delete, name, profile=profile, store=store)

    def stores(self) -> tuple[StoreState, ...]:
        """How the stores are, each asked now."""
        return tuple(_state_of(store) for store in self._stores)

    def rebuild_catalogue(self) -> tuple[Card, ...]:
        """Make the catalogue anew from the stores. What a store that is down holds stays as it was noted.

        Raises:
            CredentialStoreError: the catalogue cannot be written.
            AuditError: it cannot be told to the audit log.
        """
        with self._keeper.lock:
            return rebuild(self._keeper)

    def close(self) -> None:
        """Give everything back. May be called twice."""
        self._leases.forget()
        for store in self._stores:
            store.close()


def _state_of(store: CredentialStore) -> StoreState:
    fault = ""
    try:
        store.check()
    except CredentialStoreError as error:
        fault = str(error)
    return StoreState(store.store_id, store.strength, store.describe(), store.writable, fault)
