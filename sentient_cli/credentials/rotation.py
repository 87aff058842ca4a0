"""How a credential passes from one value to the next: pure functions from an item to the item after one step.

    steady ──begin──▶ trying ──verified──▶ verified ──promote──▶ grace ──retire──▶ steady
                        └──────abort─────────┘ ▶ steady

Each step is one text in the place of another, so that whoever is killed leaves the item before it or after it. From
either, the rotation can be gone on with. At every moment one version is current.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.item import SCHEMA_VERSION, Item, Version
from sentient_cli.errors import CredentialConflictError, CredentialStoreError, UsageError

__all__ = [
    "SECOND",
    "Phase",
    "abort",
    "about",
    "begin",
    "check_item",
    "current_of",
    "first",
    "phase_of",
    "promote",
    "replaced",
    "retire",
    "verified",
]

Phase: TypeAlias = Literal["steady", "trying", "verified", "grace"]
SECOND: Final = 1_000_000_000
"""Nanoseconds."""


def check_item(item: Item) -> Item:
    """The item, if it is whole.

    Raises:
        CredentialStoreError: no version is current or several are, or it was written by a later version.
    """
    states = [version.state for version in item.versions]
    ids = {version.id for version in item.versions}
    if item.schema > SCHEMA_VERSION:
        raise CredentialStoreError(
            "A later version of this program wrote this credential",
            why=f"Its form is {item.schema}, and this version knows {SCHEMA_VERSION}",
            fix="Update this program",
        )
    if states.count("current") == 1 and len(set(states)) == len(states) == len(ids):
        return item
    raise CredentialStoreError(
        "What the store holds for this credential is not whole",
        why=f"Its versions are: {', '.join(states) or 'none'}",
        fix="Remove it with `sentient keys remove` and store it anew",
    )


def current_of(item: Item) -> Version:
    """The version that calls use.

    Raises:
        CredentialStoreError: the item is not whole.
    """
    return next(version for version in check_item(item).versions if version.state == "current")


def phase_of(item: Item) -> Phase:
    """How far a rotation is.

    Example:
        >>> item = first(Secret("sk-1"), "1", now=5)
        >>> phase_of(item), phase_of(begin(item, Secret("sk-2"), "2", now=6))
        ('steady', 'trying')
    """
    waiting = item.version("next")
    if waiting is not None:
        return "verified" if waiting.verified_at else "trying"
    return "grace" if item.version("previous") is not None else "steady"


def first(
    value: Secret,
    version_id: str,
    *,
    now: int,
    provider: str = "",
    expires_at: int = 0,
    rotate_every: int = 0,
    hosts: tuple[str, ...] = (),
) -> Item:
    """The item of a credential that was not there.

    Args:
        value: Its value.
        version_id: A new id.
        now: Nanoseconds since the epoch, as all times here.
        provider: Whose key it is.
        expires_at: When it ends by itself; 0: unknown.
        rotate_every: Seconds after which it is due; 0: never.
        hosts: Where it may be sent.
    """
    version = Version(
        id=version_id, state="current", value=value.reveal(), created_at=now, expires_at=max(0, expires_at)
    )
    return Item(provider=provider, versions=(version,), created_at=now, rotate_every=rotate_every, hosts=hosts)


def replaced(item: Item, value: Secret, version_id: str, *, now: int, expires_at: int = 0) -> Item:
    """The item with another current value, without a rotation; one that is in its grace stays.

    Raises:
        UsageError: a rotation goes on.
    """
    _require_no_next(check_item(item))
    version = Version(
        id=version_id, state="current", value=value.reveal(), created_at=now, expires_at=max(0, expires_at)
    )
    kept = [each for each in item.versions if each.state == "previous"]
    return msgspec.structs.replace(item, versions=(version, *kept))


def begin(item: Item, value: Secret, version_id: str, *, now: int, expires_at: int = 0, source: str = "") -> Item:
    """Put the next value beside the current one. The same value again changes nothing.

    Args:
        item: As it is.
        value: The next value.
        version_id: A new id.
        now: What the time is.
        expires_at: When the next value ends by itself.
        source: What the provider calls it.

    Raises:
        UsageError: it is the current value already, or the one before is in its grace.
        CredentialConflictError: another value is being tried.
    """
    current, waiting = current_of(item), item.version("next")
    if waiting is not None and value.matches(waiting.value):
        return item
    _require_no_next(item)
    if value.matches(current.value):
        raise UsageError(
            "The new value is the one that is in use", fix="Make another one at the provider, and give that"
        )
    item = retire(item, now=now)
    previous = item.version("previous")
    if previous is not None:
        raise UsageError(
            "The rotation before is in its grace",
            why="Calls that have begun may still use the value before the current one",
            fix="Wait until it is over, or end it with `sentient keys rotate NAME --resume --grace 0`",
        )
    added = Version(
        id=version_id,
        state="next",
        value=value.reveal(),
        created_at=now,
        expires_at=max(0, expires_at),
        source=source,
    )
    return msgspec.structs.replace(item, versions=(added, *item.versions))


def verified(item: Item, *, now: int) -> Item:
    """Note that the provider took the next value.

    Raises:
        CredentialConflictError: no value is being tried.
    """
    waiting = _waiting(item)
    noted = msgspec.structs.replace(waiting, verified_at=max(now, 1))
    return _with(item, {waiting.id: noted})


def promote(item: Item, *, now: int, grace: float) -> Item:
    """Make the next value the current one, and the current one the previous one.

    Args:
        item: As it is.
        now: What the time is.
        grace: Seconds that the value before stays; at 0 it is gone at once.

    Raises:
        CredentialConflictError: no value is being tried, or the provider has not taken it yet.
    """
    waiting, current = _waiting(item), current_of(item)
    if not waiting.verified_at:
        raise CredentialConflictError("The provider has not taken the new value yet", fix="Have it checked first")
    after = {
        waiting.id: msgspec.structs.replace(waiting, state="current"),
        current.id: msgspec.structs.replace(current, state="previous", retire_at=now + round(grace * SECOND)),
    }
    return retire(_with(item, after), now=now)


def abort(item: Item) -> Item:
    """Leave the next value out again.

    Raises:
        CredentialConflictError: no value is being tried.
    """
    waiting = _waiting(item)
    return msgspec.structs.replace(item, versions=tuple(each for each in item.versions if each is not waiting))


def retire(item: Item, *, now: int, at_once: bool = False) -> Item:
    """Leave the previous value out if its grace is over; else the item as it is.

    Args:
        item: As it is.
        now: What the time is.
        at_once: Whether it is left out all the same.
    """
    previous = check_item(item).version("previous")
    if previous is None or (previous.retire_at > now and not at_once):
        return item
    return msgspec.structs.replace(item, versions=tuple(each for each in item.versions if each is not previous))


def _waiting(item: Item) -> Version:
    waiting = check_item(item).version("next")
    if waiting is None:
        raise CredentialConflictError(
            "No rotation of this credential goes on", fix="Begin one with `sentient keys rotate`"
        )
    return waiting


def _require_no_next(item: Item) -> None:
    if item.version("next") is not None:
        raise CredentialConflictError(
            "A rotation of this credential goes on already",
            why="Another value is being tried, or whoever tried it was ended",
            fix="Go on with `sentient keys rotate NAME --resume`, or leave it with `sentient keys rotate NAME --abort`",
        )


def _with(item: Item, changed: dict[str, Version]) -> Item:
    return msgspec.structs.replace(item, versions=tuple(changed.get(each.id, each) for each in item.versions))


def about(item: Item, *, provider: str, rotate_every: int, hosts: tuple[str, ...]) -> Item:
    """The item with something else said of it."""
    return msgspec.structs.replace(item, provider=provider, rotate_every=rotate_every, hosts=hosts)
