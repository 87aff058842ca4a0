"""What a program is handed when it asks for a credential, and how long it is remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address

__all__ = ["LONGEST", "Lease", "Leases"]

LONGEST: Final = 15 * 60.0
"""Seconds for which a process may go on with what it was told: a resolution is on record, each use of it is not."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A value that was looked up, and where it came from.

    Args:
        address: Profile and name.
        secret: The value.
        source: Where it comes from, in a few words for people.
        store: The id of the store; empty: it came from no store.
        variable: The variable that it came from; empty: it came from none.
        version: The id of the version, where the store has versions.
        provider: Whose key it is; empty: unknown.
        fingerprint: The beginning of its hash.
        hosts: Where it may be sent, for one of a store; none: where its vendor is.
        expires_at: When the value ends by itself, in nanoseconds since the epoch; 0: unknown.
        until: When it has to be looked up anew.

    Example:
        >>> lease = Lease(address=Address("default", "openai"), secret=Secret("sk-1"), source="the store memory")
        >>> lease.secret, lease.secret.reveal()
        (Secret('**********'), 'sk-1')
    """

    address: Address
    secret: Secret
    source: str
    store: str = ""
    variable: str = ""
    version: str = ""
    provider: str = ""
    fingerprint: str = ""
    hosts: tuple[str, ...] = ()
    expires_at: int = 0
    until: int = 0


class Leases:
    """Leases that are in use in this process, for a bounded time.

    Args:
        now_ns: What the time is.
        seconds: How long one is remembered; at most 15 minutes.
    """

    def __init__(self, now_ns: Callable[[], int], seconds: float = LONGEST) -> None:
        self._now_ns = now_ns
        self._length = round(min(seconds, LONGEST) * 1e9)
        self._held: dict[tuple[Address, str], Lease] = {}

    def find(self, address: Address, purpose: str) -> Lease | None:
        """A lease that is still good."""
        lease = self._held.get((address, purpose))
        if lease is None or not lease.until - self._length <= self._now_ns() < lease.until:
            return None  # also when the clock went back
        return lease

    def keep(self, lease: Lease, purpose: str) -> Lease:
        """Remember a lease, and give it back with its end."""
        kept = msgspec.structs.replace(lease, until=self._now_ns() + self._length)
        self._held[lease.address, purpose] = kept
        return kept

    def forget(self, address: Address | None = None) -> None:
        """Forget what is known of an address, or all."""
        self._held = {} if address is None else {key: held for key, held in self._held.items() if key[0] != address}
