"""What a credential store must do. Each has an adapter, and one conformance suite that all of them pass.

A store keeps one item for each address: opaque text to it, in truth all versions of one credential (see
`sentient_cli.credentials.item`). So that a change of versions is one write, which happened or did not, whatever is
killed meanwhile, stores need nothing but compare-and-set of a single item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address

__all__ = ["ABSENT", "CredentialStore", "Held", "Strength"]

ABSENT: Final = ""
"""The revision of what is not there."""

Strength: TypeAlias = Literal["plain", "passphrase", "system", "managed"]
"""How well a store keeps what it holds: readable by whoever reads the user's files, encrypted with a passphrase or a
file, guarded by the operating system, or by a service with accounts of its own. A weaker store never stands in for a
stronger one unless somebody says so."""


class Held(NamedTuple):
    """What a store holds at an address.

    Args:
        text: The item.
        revision: What a change of it must name. A store never gives the same one to another text at one address.
    """

    text: Secret
    revision: str


class CredentialStore(Protocol):
    """Keeps items. All methods may block, and are called from any thread, from one at a time.

    Each raises a `CredentialStoreError` when the store cannot be used: it is not there, is locked, refuses, is sealed,
    does not answer in time. None of them changes anything then, or says that this is not known.
    """

    @property
    def store_id(self) -> str:
        """The name of it in settings and on the command line, such as ``keyring``."""
        ...

    @property
    def strength(self) -> Strength:
        """How well it keeps what it holds."""
        ...

    @property
    def writable(self) -> bool:
        """Whether items can be put there."""
        ...

    def describe(self) -> str:
        """Where it is, in a few words for people: a path, an address, the kind of the keyring. No secret."""
        ...

    def get(self, address: Address) -> Held | None:
        """What is held, or None when there is nothing."""
        ...

    def put(self, address: Address, text: Secret, *, expected: str) -> str:
        """Hold a text, if what is held has the revision that is expected (`ABSENT`: nothing), and return the new one.

        When it returns, the text would be there after a loss of power, and was read back.

        Raises:
            CredentialConflictError: something else is held; nothing was changed.
        """
        ...

    def delete(self, address: Address, *, expected: str) -> None:
        """Hold nothing any more.

        Raises:
            CredentialConflictError: something else is held; nothing was changed.
        """
        ...

    def addresses(self) -> Sequence[Address]:
        """All that it holds, sorted, without reading one of them."""
        ...

    def check(self) -> None:
        """Find out whether it can be used, changing nothing that is there."""
        ...

    def close(self) -> None:
        """Give everything back. May be called twice."""
        ...
