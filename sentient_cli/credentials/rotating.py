"""A rotation over a store: begun, checked with a real call, made current, and retired; gone on with from any step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.credentials import rotation
from sentient_cli.credentials.item import Item, fingerprint_of
from sentient_cli.credentials.keeping import Keeper, Kept, card_of
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.rotation import Phase, phase_of

__all__ = ["GRACE", "AsyncCheck", "Check", "Rotated", "Rotations"]

GRACE: Final = 3600.0
"""Seconds that the value before stays: four times as long as a process may go on with what it was told."""

Check: TypeAlias = Callable[[Secret], None]
"""Asks the provider with a value, and raises what is wrong with it."""
AsyncCheck: TypeAlias = Callable[[Secret], Awaitable[None]]


class Rotated(NamedTuple):
    """How far a rotation is.

    Args:
        address: Of which credential.
        store: The store that holds it.
        phase: ``steady``, ``trying``, ``verified`` or ``grace``.
        version: The id of the current version.
        fingerprint: Of the current value.
        waiting: The fingerprint of the next value; empty: there is none.
        retire_at: When the value before is left out; 0: there is none.
        sources: What the provider calls those of its values that were made through its interface.

    Example:
        >>> Rotated(Address("default", "openai"), "keyring", "steady", "1", "0f2c10bf3d12").retire_at
        0
    """

    address: Address
    store: str
    phase: Phase
    version: str
    fingerprint: str
    waiting: str = ""
    retire_at: int = 0
    sources: tuple[str, ...] = ()


class Rotations:
    """Takes the steps of rotations. Whoever calls has the keeper's lock.

    Args:
        keeper: Reads and changes what stores hold.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def begin(
        self,
        address: Address,
        value: Secret,
        *,
        store: str | None = None,
        expires_at: int = 0,
        every: int | None = None,
        source: str = "",
    ) -> Rotated:
        """Put the next value beside the current one."""
        kept = self._keeper.locate(address, store)
        item = rotation.begin(
            kept.item, value, self._keeper.new_id(), now=self._keeper.now(), expires_at=expires_at, source=source
        )
        if every is not None:
            item = msgspec.structs.replace(item, rotate_every=every)
        return self._step(kept, item, "rotation-began")

    def waiting(self, address: Address, store: str | None = None) -> Secret | None:
        """The next value if it is to be checked; None: there is none, or it was."""
        kept = self._keeper.locate(address, store)
        if phase_of(kept.item) != "trying":
            return None
        version = kept.item.version("next")
        return Secret(version.value) if version is not None else None

    def verified(self, address: Address, checked: Secret, store: str | None = None) -> Rotated:
        """Note that the provider took the next value; not if it is another one by now."""
        kept = self._keeper.locate(address, store)
        version = kept.item.version("next")
        if version is not None and not checked.matches(version.value):
            return _told(kept)
        if phase_of(kept.item) == "verified":
            return _told(kept)
        return self._step(kept, rotation.verified(kept.item, now=self._keeper.now()), "rotation-verified")

    def promote(self, address: Address, *, grace: float = GRACE, store: str | None = None) -> Rotated:
        """Make the next value current."""
        kept = self._keeper.locate(address, store)
        return self._step(kept, rotation.promote(kept.item, now=self._keeper.now(), grace=grace), "rotation-promoted")

    def abort(self, address: Address, store: str | None = None, why: str = "") -> Rotated:
        """Leave the next value out."""
        kept = self._keeper.locate(address, store)
        return self._step(kept, rotation.abort(kept.item), "rotation-aborted", why)

    def retire(self, address: Address, *, store: str | None = None, at_once: bool = False) -> Rotated:
        """Leave the value before out, if its grace is over."""
        kept = self._keeper.locate(address, store)
        after = rotation.retire(kept.item, now=self._keeper.now(), at_once=at_once)
        return self._step(kept, after, "rotation-retired")

    def state(self, address: Address, store: str | None = None) -> Rotated:
        """How far it is."""
        return _told(self._keeper.locate(address, store))

    def _step(self, kept: Kept, item: Item, action: str, why: str = "") -> Rotated:
        if item == kept.item:
            self._keeper.note(card_of(kept.address, kept.store.store_id, item))  # whoever wrote it may have been ended
            return _told(kept)
        return _told(self._keeper.put(kept, item, action, **({"why": why} if why else {})))


def _told(kept: Kept) -> Rotated:
    current, waiting = rotation.current_of(kept.item), kept.item.version("next")
    previous = kept.item.version("previous")
    return Rotated(
        kept.address,
        kept.store.store_id,
        phase_of(kept.item),
        current.id,
        fingerprint_of(current.value),
        fingerprint_of(waiting.value) if waiting is not None else "",
        previous.retire_at if previous is not None else 0,
        tuple(version.source for version in kept.item.versions if version.source),
    )
