"""Looking credentials up: in the declared order, on record before anything is handed out, remembered for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import msgspec

from sentient_cli.audit import AuditLog
from sentient_cli.clock import Clock, Ids, SystemClock, SystemIds
from sentient_cli.config.secret import Secret
from sentient_cli.credentials import rotation
from sentient_cli.credentials.allowing import require_allowed
from sentient_cli.credentials.bindings import Refusal
from sentient_cli.credentials.catalogue import Card, Catalogue
from sentient_cli.credentials.core_dumps import forbid_core_dumps
from sentient_cli.credentials.destinations import Destination
from sentient_cli.credentials.explained import Explained, Shown, shown
from sentient_cli.credentials.health import Warned, warnings_of
from sentient_cli.credentials.item import fingerprint_of
from sentient_cli.credentials.keeping import Audits, Keeper, card_of, not_found
from sentient_cli.credentials.leases import LONGEST, Lease, Leases
from sentient_cli.credentials.look_up import ORDER, Found, Place, Step, Variables, look_up
from sentient_cli.credentials.names import Address, check_name, check_profile
from sentient_cli.credentials.ports import CredentialStore
from sentient_cli.credentials.rotating import Rotations
from sentient_cli.credentials.watch import Change, Watch
from sentient_cli.errors import CredentialStoreError
from sentient_cli.redact import redactor

__all__ = ["Finder", "Policy"]

_DEFAULT: Final = "default"
_INTERVAL: Final = 2.0
_logger = logging.getLogger(__name__)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How credentials are looked for and kept.

    Args:
        order: The places that are looked at, in their order.
        default_profile: Whether the profile ``default`` stands in for what the chosen one lacks.
        fallback: Whether another store takes what the first one cannot while it is down, if it is as strong.
        lease: Seconds for which a process may go on with what it was told; at most 15 minutes.
        core_dumps: Whether the system may write the memory of this process to disk when it crashes.

    Example:
        >>> Policy(default_profile=True).order[0]
        'given'
    """

    order: tuple[Place, ...] = ORDER
    default_profile: bool = False
    fallback: bool = True
    lease: float = LONGEST
    core_dumps: bool = False


def _no_variables(_name: str) -> Variables:
    return Variables()


def _nowhere(_provider: str) -> tuple[str, ...]:
    return ()


class Finder:
    """What a `CredentialManager` reads. The arguments are those of it."""

    def __init__(
        self,
        stores: Sequence[CredentialStore],
        *,
        profile: str = _DEFAULT,
        refusal: Refusal | None = None,
        policy: Policy | None = None,
        variables: Callable[[str], Variables] = _no_variables,
        hosts_of: Callable[[str], tuple[str, ...]] = _nowhere,
        catalogue: Catalogue | None = None,
        audit: Audits | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        tell: Callable[[str], None] = _logger.warning,
    ) -> None:
        clock = clock or SystemClock()
        self.profile: str = check_profile(profile)
        self._refusal = refusal
        self.policy: Policy = policy or Policy()
        self._variables = variables
        self._hosts_of = hosts_of
        self._keeper = Keeper(
            stores, catalogue or Catalogue(), audit or AuditLog(), clock, ids or SystemIds(clock), tell
        )
        self._rotations = Rotations(self._keeper)
        self._leases = Leases(clock.now_ns, self.policy.lease)
        self._clock = clock
        self._seen = Watch(self._keeper.catalogue)
        self._stores = tuple(stores)

    @property
    def catalogue(self) -> Catalogue:
        """What there is, without asking a store."""
        return self._keeper.catalogue

    def address(self, name: str, profile: str | None = None) -> Address:
        """Where a credential is, in any store.

        Raises:
            UsageError: name or profile cannot be.
            CredentialStoreError: only a project names the profile that is meant.
        """
        address = self._address(name, profile)
        if profile is None:
            self._require_agreed()
        return address

    @property
    def refused(self) -> CredentialStoreError | None:
        """Why stored credentials of the profile are left alone: only a project names it. None: they are not."""
        return self._refusal() if self._refusal is not None else None

    def _address(self, name: str, profile: str | None) -> Address:
        return Address(self.profile if profile is None else check_profile(profile), check_name(name))

    def _require_agreed(self) -> None:
        refused = self.refused
        if refused is not None:
            raise refused

    def get(
        self, name: str, *, profile: str | None = None, purpose: str = "program", given: Secret | None = None
    ) -> Lease:
        """Look a credential up, and hand it out once that is on record.

        The same again within 15 minutes is answered out of memory, unless the credential was changed meanwhile.

        Args:
            name: Which.
            profile: In which profile; the chosen one unless given.
            purpose: What it is for, for the record, such as ``llm``.
            given: A value that goes before all others.

        Raises:
            CredentialNotFoundError: there is none.
            CredentialStoreError: there is none, and a store that may hold it is down.
            AuditError: it cannot be told to the audit log; nothing is handed out.
        """
        lease = self.find(name, profile=profile, purpose=purpose, given=given)
        if lease is not None:
            return lease
        address = self._address(name, profile)
        raise not_found(address, [store.store_id for store in self._stores], self.catalogue)

    def find(
        self,
        name: str,
        *,
        profile: str | None = None,
        purpose: str = "program",
        given: Secret | None = None,
        destination: Destination | None = None,
    ) -> Lease | None:
        """The same, and None where there is none.

        Args:
            name: Which.
            profile: In which profile; the chosen one unless given.
            purpose: What it is for, for the record, such as ``llm``.
            given: A value that goes before all others.
            destination: Where it will be sent; one of a store that may not go there is not handed out.

        Raises:
            CredentialHostError: it may not be sent there.
            CredentialStoreError: there is none, and a store that may hold it is down.
            AuditError: it cannot be told to the audit log; nothing is handed out.
        """
        address = self._address(name, profile)
        with self._keeper.lock:
            if self._seen.look():
                self._leases.forget()
            held = self._leases.find(address, purpose) if given is None else None
            if held is not None:
                if destination is not None:
                    self.check_destination(held, destination, purpose=purpose)
                return held
            found, steps, fault = self._look_up(address, given, agreed=profile is not None)
            if found is None:
                if fault is not None:
                    raise fault
                return None
            won = next(step for step in steps if step.outcome == "won")
            at = Address(won.profile or address.profile, name)
            if found.item is not None:
                require_allowed(self._keeper, at, found.item.hosts, destination, purpose)
            return self._hand_out(at, address, found, purpose)

    def note_verified(self, lease: Lease) -> None:
        """Have the catalogue say that the provider took this value just now.

        Args:
            lease: What was handed out; nothing is noted of one that came from no store.
        """
        if lease.store:
            with self._keeper.lock:
                self._keeper.record("verified", lease.address, {"store": lease.store, "version": lease.version})
                self._keeper.note_verified(lease.address, lease.store, lease.version)

    def check_destination(self, lease: Lease, destination: Destination, *, purpose: str = "program") -> None:
        """See that what was handed out may be sent somewhere; one that came from no store may.

        Raises:
            CredentialHostError: it may not.
            AuditError: that cannot be put on record.
        """
        if lease.store:
            require_allowed(self._keeper, lease.address, lease.hosts, destination, purpose)

    def note_refused(self, subject: str, destination: Destination, allowed: Sequence[str], *, purpose: str) -> None:
        """Put on record that something of no store was not sent somewhere.

        Args:
            subject: What it was, such as ``variable/OPENAI_API_KEY``.
            destination: Where it was to go.
            allowed: Where it may go.
            purpose: What for.

        Raises:
            AuditError: it cannot be put on record.
        """
        told = {"hosts": ", ".join(destination.hosts), "allowed": ", ".join(allowed), "purpose": purpose}
        self._keeper.record("refused", subject, told)

    def _look_up(
        self, address: Address, given: Secret | None, *, agreed: bool
    ) -> tuple[Found | None, tuple[Step, ...], CredentialStoreError | None]:
        addresses = [address]
        if self.policy.default_profile and address.profile != _DEFAULT:
            addresses.append(Address(_DEFAULT, address.name))
        refused = None if agreed else self.refused
        return look_up(
            self.policy.order,
            addresses,
            self._variables(address.name),
            self._stores,
            given=given,
            holds=self._may_hold,
            refused=lambda each: refused if each == address else None,
        )

    def _may_hold(self, address: Address, store: CredentialStore) -> bool:
        """Whether a store has to be asked: others put credentials into one with accounts of its own, only we elsewhere.

        So that whoever has stored nothing is not asked to unlock a keyring.
        """
        if store.strength == "managed" or not store.writable:
            return True
        try:
            return any(card.store == store.store_id for card in self.catalogue.find(address))
        except CredentialStoreError:  # a catalogue that is not whole knows nothing
            return True

    def _hand_out(self, at: Address, asked: Address, found: Found, purpose: str) -> Lease:
        self._protect()
        redactor.register(found.secret.reveal())
        version = rotation.current_of(found.item) if found.item is not None else None
        lease = Lease(
            address=asked,
            secret=found.secret,
            source=found.source,
            store=found.store,
            variable=found.variable,
            version=version.id if version is not None else "",
            provider=found.item.provider if found.item is not None else "",
            fingerprint=fingerprint_of(found.secret.reveal()),
            hosts=found.item.hosts if found.item is not None else (),
            expires_at=version.expires_at if version is not None else 0,
        )
        self._keeper.record(
            "resolved",
            at,
            {
                "source": lease.source,
                "version": lease.version,
                "fingerprint": lease.fingerprint,
                "purpose": purpose,
            },
        )
        if found.item is not None:
            self._keeper.note(card_of(at, found.store, found.item), used=True)
        return self._leases.keep(lease, purpose)

    def which(self, name: str, *, profile: str | None = None, given: Secret | None = None) -> Explained:
        """Explain how a credential is found, without handing it out. That stores were asked is on record.

        Raises:
            AuditError: it cannot be told to the audit log.
        """
        address = self._address(name, profile)
        with self._keeper.lock:
            self._keeper.record("explained", address)
            found, steps, _ = self._look_up(address, given, agreed=profile is not None)
        won = next((step for step in steps if step.outcome == "won"), None)
        fingerprint = fingerprint_of(found.secret.reveal()) if found is not None else ""
        return Explained(address, steps, won, fingerprint, found.variable if found is not None else "")

    def show(self, name: str, *, profile: str | None = None, store: str | None = None) -> Shown:
        """The versions of a credential, with their values masked.

        Raises:
            CredentialNotFoundError: no store holds it.
            CredentialStoreError: a store cannot be used.
            AuditError: it cannot be told to the audit log.
        """
        address = self.address(name, profile)
        with self._keeper.lock:
            self._keeper.record("shown", address)
            kept = self._keeper.locate(address, store)
            return shown(address, kept.store.store_id, self._keeper.with_checks(kept))

    def list(self, *, profile: str | None = None) -> tuple[Card, ...]:
        """What there is, by the catalogue alone: no store is asked, and nothing is on record.

        Args:
            profile: Of one profile; of all unless given.

        Raises:
            CredentialStoreError: the catalogue is not whole.
        """
        return tuple(card for card in self.catalogue.cards() if profile in {None, card.profile})

    def warnings(self, *, profile: str | None = None) -> tuple[Warned, ...]:
        """What is due: what ends, what is to be rotated, what was left half-way. By the catalogue alone.

        Args:
            profile: Of one profile; of all unless given.

        Raises:
            CredentialStoreError: the catalogue is not whole.
        """
        return warnings_of(self.list(profile=profile), now=self._keeper.now())

    async def get_async(
        self, name: str, *, profile: str | None = None, purpose: str = "program", given: Secret | None = None
    ) -> Lease:
        """The same as `get`, in a thread. A wait for it may be cancelled; the look-up is on record all the same."""
        return await asyncio.to_thread(self.get, name, profile=profile, purpose=purpose, given=given)

    async def watch(
        self, *names: str, profile: str | None = None, interval: float = _INTERVAL
    ) -> AsyncGenerator[Change]:
        """Tell when another value of a credential is current, whichever process made it so.

        Args:
            names: Which credentials; all unless given.
            profile: In which profile; the chosen one unless given.
            interval: Seconds between two looks at one small file.
        """
        watch = self.watching(*names, profile=profile)
        while True:
            for change in watch.look():
                self._leases.forget(change.address)
                yield change
            await self._clock.sleep(interval)

    def watching(self, *names: str, profile: str | None = None) -> Watch:
        """The same for whoever looks by himself.

        Args:
            names: Which credentials; all unless given.
            profile: In which profile; the chosen one unless given.
        """
        return Watch(self.catalogue, [self._address(name, profile) for name in names] or None)

    def _protect(self) -> None:
        if not self.policy.core_dumps:
            forbid_core_dumps()
