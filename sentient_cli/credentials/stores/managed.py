"""What the stores that are services have in common: asked in bounded time, and what is written is read back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, Literal, TypeVar

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address
from sentient_cli.credentials.stores.bounded import Bounded, Turn
from sentient_cli.credentials.stores.texts import LARGEST_TEXT, checked
from sentient_cli.errors import CredentialStoreError

__all__ = ["ManagedStore"]

_T = TypeVar("_T")
Wire = TypeVar("Wire")
"""What requests are sent with."""


class ManagedStore(ABC, Generic[Wire]):
    """A store that is a service with accounts of its own.

    Args:
        name: What the service is called, for errors.
        fix: What to do when it does not answer.
        patience: Seconds until one look or change has to have come to an end.
        largest: How many bytes a text may have.
    """

    def __init__(self, name: str, fix: str, patience: float, largest: int = LARGEST_TEXT) -> None:
        self._fix = fix
        self._largest = largest
        self._bounded = Bounded(patience, name, fix, "it may be overloaded")

    @property
    def strength(self) -> Literal["managed"]:
        """A service with accounts of its own."""
        return "managed"

    @property
    def writable(self) -> bool:
        """It is, as far as whoever signs in may write."""
        return True

    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        """Hold a text, if what is held has the revision that is expected.

        Raises:
            CredentialConflictError: something else is held.
            CredentialStoreError: as for `get`, or it may not be written, or is too large.
        """
        raw = checked(text, self._largest)

        def work(wire: Wire, turn: Turn) -> str:
            revision, held = self._written(wire, turn, address, raw, expected)
            if held != text:
                raise CredentialStoreError(f"The service does not hold {address} as it was written", fix=self._fix)
            return revision

        return self._asked(work, changes=True)

    def delete(self, address: Address, *, expected: str) -> None:
        """Hold nothing any more, nor versions of it that can be read.

        Raises:
            CredentialConflictError: something else is held.
            CredentialStoreError: as for `put`.
        """
        self._asked(lambda wire, turn: self._removed(wire, turn, address, expected), changes=True)

    def addresses(self) -> Sequence[Address]:
        """All that it holds, sorted. It may take a while until what was changed elsewhere is among them."""
        return self._asked(lambda wire, _turn: sorted(self._addresses(wire)))

    def close(self) -> None:
        """Give back what is open. May be called twice."""

    def _asked(self, work: Callable[[Wire, Turn], _T], *, changes: bool = False) -> _T:
        def run(turn: Turn) -> _T:
            with self._opened() as wire:
                return work(wire, turn)

        return self._bounded.run(run, changes=changes)

    @abstractmethod
    def _opened(self) -> AbstractContextManager[Wire]:
        """What requests are sent with, for one look or change."""

    @abstractmethod
    def _written(self, wire: Wire, turn: Turn, address: Address, text: str, expected: str) -> tuple[str, Secret | None]:
        """Write a text; the new revision, and what is held with it."""

    @abstractmethod
    def _removed(self, wire: Wire, turn: Turn, address: Address, expected: str) -> None:
        """Remove what is held."""

    @abstractmethod
    def _addresses(self, wire: Wire) -> Sequence[Address]:
        """All that is held."""
