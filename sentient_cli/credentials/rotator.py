"""Rotations: two versions live, the new one checked with a real call first, gone on with from wherever they stopped."""

from __future__ import annotations

import asyncio

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.allowing import require_allowed
from sentient_cli.credentials.destinations import Destination
from sentient_cli.credentials.finding import Finder
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.rotating import GRACE, AsyncCheck, Check, Rotated
from sentient_cli.credentials.values import check_value
from sentient_cli.errors import SentientError
from sentient_cli.redact import redactor

__all__ = ["Rotator"]


class Rotator(Finder):
    """What a `CredentialManager` rotates."""

    def begin_rotation(
        self,
        name: str,
        value: Secret,
        *,
        profile: str | None = None,
        store: str | None = None,
        expires_at: int = 0,
        every: int | None = None,
        source: str = "",
        raw: bool = False,
    ) -> Rotated:
        """Put the next value beside the current one, which calls go on using. The same value again changes nothing.

        Args:
            name: Of which credential.
            value: The next value.
            profile: In which profile; the chosen one unless given.
            store: In which store; the first that holds it unless given.
            expires_at: When the value ends by itself, in nanoseconds since the epoch; 0: unknown.
            every: Seconds after which it is due to be rotated from now on; as before unless given.
            source: What the provider calls the value, where it was made through its interface.
            raw: Whether the value is kept as it is, line breaks too.

        Raises:
            UsageError: the value cannot be, is the current one, or the rotation before is in its grace.
            CredentialNotFoundError: no store holds the credential.
            CredentialConflictError: another value is being tried, or somebody else changes it.
            CredentialStoreError: the store cannot be used.
            AuditError: it cannot be told to the audit log; nothing was changed.
        """
        kept, said = check_value(value, raw=raw)
        redactor.register(kept.reveal())
        if said:
            self._keeper.tell(said)
        with self._keeper.lock:
            self._protect()
            address = self.address(name, profile)
            return self._rotations.begin(address, kept, store=store, expires_at=expires_at, every=every, source=source)

    def rotate(
        self,
        name: str,
        value: Secret | None = None,
        *,
        check: Check,
        profile: str | None = None,
        store: str | None = None,
        grace: float = GRACE,
        every: int | None = None,
        expires_at: int = 0,
        raw: bool = False,
    ) -> Rotated:
        """Have a credential pass to its next value, from wherever its rotation stopped.

        Args:
            name: Of which credential.
            value: The next value; without one, what was begun is gone on with.
            check: Asks the provider with the next value. What it raises leaves the current value as it was.
            profile: In which profile; the chosen one unless given.
            store: In which store; the first that holds it unless given.
            grace: Seconds that the value before stays, for calls that have begun; an hour unless given.
            every: Seconds after which it is due to be rotated from now on; as before unless given.
            expires_at: When the value ends by itself, in nanoseconds since the epoch; 0: unknown.
            raw: Whether the value is kept as it is, line breaks too.

        Raises:
            Exception: what ``check`` raises; the next value was left out again.
            SentientError: as `begin_rotation` does.
        """
        if value is not None:
            self.begin_rotation(name, value, profile=profile, store=store, expires_at=expires_at, every=every, raw=raw)
        waiting = self.waiting(name, profile=profile, store=store)
        if waiting is not None:
            try:
                check(waiting)
            except Exception as error:
                self._check_failed(name, profile, store, error)
                raise
        return self.finish_rotation(name, checked=waiting, profile=profile, store=store, grace=grace)

    async def rotate_async(
        self,
        name: str,
        value: Secret | None = None,
        *,
        check: AsyncCheck,
        profile: str | None = None,
        store: str | None = None,
        grace: float = GRACE,
        every: int | None = None,
        expires_at: int = 0,
        raw: bool = False,
    ) -> Rotated:
        """The same as `rotate` for a loop, with a check that is awaited.

        Whoever cancels it leaves a rotation that can be gone on with.

        Raises:
            Exception: what ``check`` raises; the next value was left out again.
            SentientError: as `begin_rotation` does.
        """
        if value is not None:
            await asyncio.to_thread(
                self.begin_rotation,
                name,
                value,
                profile=profile,
                store=store,
                expires_at=expires_at,
                every=every,
                raw=raw,
            )
        waiting = await asyncio.to_thread(self.waiting, name, profile=profile, store=store)
        if waiting is not None:
            try:
                await check(waiting)
            except Exception as error:
                await asyncio.to_thread(self._check_failed, name, profile, store, error)
                raise
        return await asyncio.to_thread(
            self.finish_rotation, name, checked=waiting, profile=profile, store=store, grace=grace
        )

    def waiting(self, name: str, *, profile: str | None = None, store: str | None = None) -> Secret | None:
        """The next value, if the provider is still to be asked with it; None: there is none, or it was.

        Raises:
            SentientError: as `begin_rotation` does.
        """
        address = self.address(name, profile)
        with self._keeper.lock:
            value = self._rotations.waiting(address, store)
            if value is not None:
                self._keeper.record("resolved", address, {"purpose": "check of the next value"})
            return value

    def require_destination(
        self, name: str, destination: Destination, *, profile: str | None = None, store: str | None = None
    ) -> None:
        """See that a value of a credential may be sent somewhere, before its provider is asked with the next one.

        Raises:
            CredentialHostError: it may not.
            CredentialNotFoundError: no store holds the credential.
            CredentialStoreError: the store cannot be used.
        """
        address = self.address(name, profile)
        with self._keeper.lock:
            kept = self._keeper.locate(address, store)
            require_allowed(self._keeper, address, kept.item.hosts, destination, "check of the next value")

    def finish_rotation(
        self,
        name: str,
        *,
        checked: Secret | None = None,
        profile: str | None = None,
        store: str | None = None,
        grace: float = GRACE,
    ) -> Rotated:
        """Make the next value current, if the provider took it; else end the grace of the value before, if it is over.

        Args:
            name: Of which credential.
            checked: The value that the provider took just now.
            profile: In which profile; the chosen one unless given.
            store: In which store; the first that holds it unless given.
            grace: Seconds that the value before stays.

        Raises:
            CredentialConflictError: another value is being tried by now, or none was taken.
            SentientError: as `begin_rotation` does.
        """
        address = self.address(name, profile)
        with self._keeper.lock:
            if checked is not None:
                self._rotations.verified(address, checked, store)
            if self._rotations.state(address, store).phase in {"trying", "verified"}:
                done = self._rotations.promote(address, grace=grace, store=store)
            else:
                done = self._rotations.retire(address, store=store, at_once=grace == 0)
            self._leases.forget(address)
            return done

    def abort_rotation(self, name: str, *, profile: str | None = None, store: str | None = None) -> Rotated:
        """Leave the next value out; the current one stays.

        Raises:
            CredentialConflictError: no rotation goes on.
            SentientError: as `begin_rotation` does.
        """
        with self._keeper.lock:
            return self._rotations.abort(self.address(name, profile), store)

    def rotation(self, name: str, *, profile: str | None = None, store: str | None = None) -> Rotated:
        """How far a rotation is.

        Raises:
            CredentialNotFoundError: no store holds the credential.
            CredentialStoreError: the store cannot be used.
        """
        with self._keeper.lock:
            return self._rotations.state(self.address(name, profile), store)

    def retire_due(self) -> tuple[Rotated, ...]:
        """Leave out every value whose grace is over. What cannot be done now is done next time, and told.

        One that the provider made stays: whoever removes it there leaves it out here, as `sentient keys rotate` does.

        Example:
            >>> import tempfile
            >>> from sentient_cli.testing import MemoryCredentialStore, credentials_in
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     credentials_in(folder, MemoryCredentialStore()).retire_due()
            ()
        """
        done: list[Rotated] = []
        for card in self.list():
            if card.phase != "grace" or card.retire_at > self._keeper.now() or card.store not in self._keeper.stores:
                continue
            try:
                with self._keeper.lock:
                    address = Address(card.profile, card.name)
                    previous = self._keeper.locate(address, card.store).item.version("previous")
                    if previous is not None and not previous.source:
                        done.append(self._rotations.retire(address, store=card.store))
            except SentientError as error:
                self._keeper.tell(f"The value before of {card.address} is still kept: {error.what}")
        return tuple(done)

    def _check_failed(self, name: str, profile: str | None, store: str | None, error: Exception) -> None:
        why = error.code if isinstance(error, SentientError) else type(error).__name__
        with self._keeper.lock:
            self._rotations.abort(self.address(name, profile), store, why)
