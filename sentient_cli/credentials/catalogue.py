"""The catalogue: what credentials there are and where, never a value. Made anew from the stores if it is lost.

It says what is to be found, and stores are the truth. Listing credentials reads this file alone, so that no keyring is
asked, loaded or unlocked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgspec

from sentient_cli import paths
from sentient_cli.credentials.files import locked, read_private, write_private
from sentient_cli.credentials.names import Address
from sentient_cli.errors import CredentialStoreError

__all__ = ["Card", "Cards", "Catalogue", "Mark"]

_FORMAT: Final = "sentient.credentials"
_SCHEMA: Final = 1


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one credential in one store. Times are nanoseconds since the epoch, 0 where unknown.

    Args:
        profile: The profile that it belongs to.
        name: Its name in it.
        store: The store that holds it.
        provider: Whose key it is; empty: nobody's in particular.
        version: The id of the version that is current; empty: the stores know.
        fingerprint: The beginning of its hash.
        phase: How far a rotation is: ``steady``, ``trying``, ``verified`` or ``grace``.
        created_at: When the credential was made.
        changed_at: When the current value was put there.
        used_at: When it was last resolved.
        verified_at: When the provider last took it.
        expires_at: When it ends by itself.
        retire_at: When the grace of the value before is over.
        rotate_every: Seconds after which it is due to be rotated; 0: never.
        hosts: Where it may be sent; none: where its vendor is, if it has one.

    Example:
        >>> card = Card(profile="default", name="openai", store="keyring", changed_at=5, rotate_every=30)
        >>> card.due_at, str(card.address)
        (30000000005, 'default/openai')
    """

    profile: str
    name: str
    store: str
    provider: str = ""
    version: str = ""
    fingerprint: str = ""
    phase: str = "steady"
    created_at: int = 0
    changed_at: int = 0
    used_at: int = 0
    verified_at: int = 0
    expires_at: int = 0
    retire_at: int = 0
    rotate_every: int = 0
    hosts: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """Profile and name."""
        return Address(self.profile, self.name)

    @property
    def is_begun(self) -> bool:
        """Whether it only says where to look: whoever was storing it has not finished, or was ended."""
        return self == Card(profile=self.profile, name=self.name, store=self.store)

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is told from others by, and ordered."""
        return self.profile, self.name, self.store

    @property
    def due_at(self) -> int:
        """When it is due to be rotated; 0: never."""
        return self.changed_at + self.rotate_every * 1_000_000_000 if self.rotate_every else 0


Cards: TypeAlias = dict[tuple[str, str, str], Card]


class Mark(NamedTuple):
    """What changes when the file does."""

    inode: int
    size: int
    changed: int


class _File(msgspec.Struct, frozen=True, tag_field="format", tag=_FORMAT):
    schema: int
    cards: tuple[Card, ...] = ()


_decoder: Final = msgspec.json.Decoder(_File)


class Catalogue:
    """The catalogue in a file, for any number of threads and processes.

    Args:
        path: The file; that of this user unless given.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     catalogue = Catalogue(Path(folder, "credentials.json"))
        ...     catalogue.put(Card(profile="default", name="openai", store="keyring"))
        ...     [str(card.address) for card in catalogue.cards()]
        ['default/openai']
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path: Path = path or paths.data_dir() / "credentials.json"
        self._read_at: Mark | None = None
        self._read: tuple[Card, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether anybody has stored a credential yet."""
        return self.path.exists()

    def mark(self) -> Mark | None:
        """What tells that the file has changed; None: there is none. Costs microseconds."""
        try:
            status = self.path.stat(follow_symlinks=False)
        except OSError:
            return None
        return Mark(status.st_ino, status.st_size, status.st_mtime_ns)

    def cards(self) -> tuple[Card, ...]:
        """All cards, sorted by profile, name and store.

        Raises:
            CredentialStoreError: the file cannot be read, or is not whole.
        """
        mark = self.mark()
        if mark is None or mark != self._read_at:
            self._read, self._read_at = _decoded(self.path, read_private(self.path)), mark
        return self._read

    def find(self, address: Address) -> tuple[Card, ...]:
        """The cards at an address, one for each store that holds it.

        Raises:
            CredentialStoreError: as `cards` does.
        """
        return tuple(card for card in self.cards() if card.address == address)

    def profiles(self) -> tuple[str, ...]:
        """The profiles that hold something.

        Raises:
            CredentialStoreError: as `cards` does.
        """
        return tuple(sorted({card.profile for card in self.cards()}))

    def put(self, *cards: Card) -> None:
        """Have these cards in the place of those of the same address and store.

        Raises:
            CredentialStoreError: it cannot be written; nothing was changed.
        """
        self.change(lambda held: {**held, **{card.key: card for card in cards}})

    def remove(self, address: Address, store: str) -> None:
        """Have no such card any more.

        Raises:
            CredentialStoreError: it cannot be written; nothing was changed.
        """
        key = (*address, store)
        self.change(lambda held: {each: card for each, card in held.items() if each != key})

    def change(self, step: Callable[[Cards], Cards]) -> None:
        """Change what is there while nobody else does.

        Args:
            step: Gets all cards and gives those that are to be there.

        Raises:
            CredentialStoreError: it cannot be written; nothing was changed.
        """
        with locked(self.path):
            held = {card.key: card for card in _decoded(self.path, read_private(self.path))}
            after = step(dict(held))
            if after != held:
                write_private(self.path, _encoded(after.values()))

    def renew(self, cards: Iterable[Card]) -> None:
        """Have exactly these cards, whatever was there, also what was not whole.

        Raises:
            CredentialStoreError: it cannot be written.
        """
        with locked(self.path):
            write_private(self.path, _encoded(cards))


def _encoded(cards: Iterable[Card]) -> bytes:
    return msgspec.json.format(
        msgspec.json.encode(_File(_SCHEMA, tuple(sorted(cards, key=lambda card: card.key)))), indent=1
    )


def _decoded(path: Path, data: bytes | None) -> tuple[Card, ...]:
    if data is None:
        return ()
    try:
        file = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise CredentialStoreError(
            f"The catalogue of credentials is not whole: {path}",
            why="It was changed by something else, or cut off",
            fix="Run `sentient keys list --rebuild`, which makes it anew from the stores; no key is in it",
        ) from error
    if file.schema > _SCHEMA:
        raise CredentialStoreError(
            f"A later version of this program wrote the catalogue: {path}", fix="Update this program"
        )
    return file.cards
