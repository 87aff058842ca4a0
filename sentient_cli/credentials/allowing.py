"""Binding a credential to hosts, and what is done when it is to go elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sentient_cli.credentials.destinations import MOST_HOSTS, Destination, refusal
from sentient_cli.credentials.keeping import Keeper, Kept
from sentient_cli.credentials.names import Address
from sentient_cli.errors import UsageError

__all__ = ["allow", "require_allowed"]


def require_allowed(
    keeper: Keeper, address: Address, bound: Sequence[str], destination: Destination | None, purpose: str
) -> None:
    """See that a credential may go where it is to go. What is refused is on record.

    Args:
        keeper: Tells the audit log.
        address: Which.
        bound: Where it may go.
        destination: Where it is to go; None: nowhere, it stays with whoever asked.
        purpose: What for.

    Raises:
        CredentialHostError: it may not.
        AuditError: that cannot be put on record.
    """
    if destination is None or destination.allowed_for(bound):
        return
    told = {"hosts": ", ".join(destination.hosts), "allowed": ", ".join(bound) or destination.usual, "purpose": purpose}
    keeper.record("refused", address, told)
    raise refusal(address, bound, destination)


def allow(keeper: Keeper, address: Address, hosts: Sequence[str], *, store: str | None, remove: bool) -> Kept:
    """Have a credential bound to further hosts, or to some no longer.

    Args:
        keeper: Reads and changes what stores hold.
        address: Which.
        hosts: The hosts.
        store: In which store; the first that holds it unless given.
        remove: Whether they are taken away.

    Raises:
        UsageError: they would be too many, or none was left.
        SentientError: as `Keeper.put` does.
    """
    kept = keeper.locate(address, store)
    before = kept.item.hosts
    after = tuple(host for host in before if host not in hosts) if remove else tuple(dict.fromkeys((*before, *hosts)))
    if len(after) > MOST_HOSTS:
        raise UsageError(f"It would be bound to {len(after)} hosts, and {MOST_HOSTS} are the most")
    if remove and before and not after:
        raise UsageError(
            f"{address} would be bound to no host",
            fix="Allow another one first, or remove it with `sentient keys remove`",
        )
    if after == before:
        return kept
    item = msgspec.structs.replace(kept.item, hosts=after)
    return keeper.put(kept, item, "unbound" if remove else "bound", hosts=", ".join(after))
