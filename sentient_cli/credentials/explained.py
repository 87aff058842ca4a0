"""What is told of a credential without its value: how it is found, which versions it has, and how stores are."""

from __future__ import annotations

from typing import Final, NamedTuple

from sentient_cli.credentials.item import Item, VersionState, fingerprint_of
from sentient_cli.credentials.look_up import Step
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.ports import Strength

__all__ = ["Explained", "Shown", "ShownVersion", "StoreState", "masked", "shown"]

_LONG: Final = 20
"""A shorter value is not shown in part: its ends would be much of it."""


class Explained(NamedTuple):
    """How a credential is found.

    Args:
        address: Profile and name.
        steps: Each step of the look-up, in its order.
        won: The one that gave the value; None: none did.
        fingerprint: Of the value.
        variable: The variable that it comes from; empty: it comes from none.

    Example:
        >>> Explained(Address("default", "openai"), (), None).fingerprint
        ''
    """

    address: Address
    steps: tuple[Step, ...]
    won: Step | None
    fingerprint: str = ""
    variable: str = ""


class ShownVersion(NamedTuple):
    """A version of a credential. Times are nanoseconds since the epoch, 0 where unknown.

    Args:
        id: Its id.
        state: ``next``, ``current`` or ``previous``.
        masked: The first 3 and the last 4 characters of a long value.
        length: How many characters the value has.
        fingerprint: The beginning of its hash.
        created_at: When it was put here.
        verified_at: When the provider last took it.
        expires_at: When it ends by itself.
        retire_at: When its grace is over.
    """

    id: str
    state: VersionState
    masked: str
    length: int
    fingerprint: str
    created_at: int
    verified_at: int
    expires_at: int
    retire_at: int


class Shown(NamedTuple):
    """A credential without its value.

    Args:
        address: Profile and name.
        store: The store that holds it.
        provider: Whose key it is.
        rotate_every: Seconds after which it is due to be rotated; 0: never.
        versions: The next one, the current one, and the previous one, as far as there are any.
        hosts: Where it may be sent; none: where its vendor is, if it has one.

    Example:
        >>> Shown(Address("default", "openai"), "keyring", "openai", 0, ()).store
        'keyring'
    """

    address: Address
    store: str
    provider: str
    rotate_every: int
    versions: tuple[ShownVersion, ...]
    hosts: tuple[str, ...] = ()


class StoreState(NamedTuple):
    """How a store is.

    Args:
        store: Its id.
        strength: How well it keeps what it holds.
        where: What it is, for people.
        writable: Whether credentials can be put there.
        fault: What is wrong with it; empty: nothing.

    Example:
        >>> StoreState("keyring", "system", "Secret Service", True).fault
        ''
    """

    store: str
    strength: Strength
    where: str
    writable: bool
    fault: str = ""


def masked(value: str) -> str:
    """A value that people may recognise and nobody can use: the first 3 and the last 4 characters of a long one.

    Example:
        >>> masked("sk-abcdefghijklmnopqrst"), masked("sk-1")
        ('sk-…qrst', '…')
    """
    return f"{value[:3]}…{value[-4:]}" if len(value) >= _LONG and value.isprintable() else "…"


def shown(address: Address, store: str, item: Item) -> Shown:
    """An item without its values."""
    order = ("next", "current", "previous")
    return Shown(
        address,
        store,
        item.provider,
        item.rotate_every,
        tuple(
            ShownVersion(
                version.id,
                version.state,
                masked(version.value),
                len(version.value),
                fingerprint_of(version.value),
                version.created_at,
                version.verified_at,
                version.expires_at,
                version.retire_at,
            )
            for version in sorted(item.versions, key=lambda version: order.index(version.state))
        ),
        item.hosts,
    )
