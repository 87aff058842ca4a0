"""Credentials in Azure Key Vault: each change is a version, and `azure_chain` says which one counts.

A version cannot be deleted there, and to delete a whole secret could take away what somebody else has written
meanwhile. So what is removed gets an empty version, and all others are disabled.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Generator
from typing import Final

from sentient_cli.config.secret import Secret
from sentient_cli.credentials.names import Address, is_name
from sentient_cli.credentials.ports import Held
from sentient_cli.credentials.stores.azure_chain import (
    CHANGE,
    GONE,
    NOTHING,
    REPLACES,
    SETTLED,
    STATE,
    head_of,
    in_doubt,
    is_ours,
    successor,
)
from sentient_cli.credentials.stores.azure_wire import KeyVault, Written
from sentient_cli.credentials.stores.bounded import Turn
from sentient_cli.credentials.stores.managed import ManagedStore
from sentient_cli.credentials.stores.texts import conflict
from sentient_cli.credentials.stores.web import Service
from sentient_cli.errors import CredentialStoreError

__all__ = ["AzureStore", "address_of", "name_of"]

_LARGEST: Final = 25_000
_LONGEST_NAME: Final = 127
_PARTS: Final = 3
_LOOKS: Final = 20
_MARGIN: Final = SETTLED + 1
_SEPARATOR: Final = "--"
_WRITTEN: Final = {"-": "-h", ".": "-d", "_": "-u"}
_READ: Final = {written: character for character, written in _WRITTEN.items()}
_FIX: Final = "Check the address and the network, then try again"


class AzureStore(ManagedStore[KeyVault]):
    """Keeps items of at most 25,000 bytes in Azure Key Vault. A change takes three seconds.

    Args:
        service: Where the vault is.
        token: Gives an access token; asked each time that the vault is.
        prefix: What the names of the secrets begin with: letters and digits.
        patience: Seconds until one look or change has to have come to an end.
    """

    def __init__(
        self, service: Service, token: Callable[[], Secret], *, prefix: str = "sentient", patience: float = 60.0
    ) -> None:
        super().__init__("Key Vault", _FIX, patience, _LARGEST)
        self._service = service
        self._token = token
        self._prefix = prefix

    @property
    def store_id(self) -> str:
        """``azure``."""
        return "azure"

    def describe(self) -> str:
        """Where it is."""
        return f"Key Vault at {self._service.address or 'no address'}, {self._prefix}{_SEPARATOR}"

    def __repr__(self) -> str:
        return f"AzureStore({self._service.address!r})"

    def get(self, address: Address) -> Held | None:
        """What is held, or None when there is nothing.

        Raises:
            CredentialStoreError: it cannot be reached, or whoever signs in may not read it.
        """
        return self._asked(lambda vault, _turn: self._read(vault, address))

    def check(self) -> None:
        """Ask for the names of what is there."""
        self._asked(lambda vault, _turn: next(vault.names(), ""))

    @contextlib.contextmanager
    def _opened(self) -> Generator[KeyVault]:
        with self._service.opened() as session:
            yield KeyVault(session, self._token(), self._service.address)

    def _written(
        self, wire: KeyVault, turn: Turn, address: Address, text: str, expected: str
    ) -> tuple[str, Secret | None]:
        version = self._changed(wire, turn, address, text, expected).version
        return version, wire.read(self._name(address), version)

    def _removed(self, wire: KeyVault, turn: Turn, address: Address, expected: str) -> None:
        name = self._name(address)
        if not expected and _revision(head_of(wire.versions(name))) == "":
            return
        last = self._changed(wire, turn, address, None, expected)
        for each in wire.versions(name).versions:
            if each.enabled and each.created <= last.created and each.version != last.version:
                wire.disable(name, each.version)

    def _name(self, address: Address) -> str:
        return name_of(self._prefix, address)

    def _read(self, vault: KeyVault, address: Address) -> Held | None:
        name = self._name(address)
        for _ in range(_LOOKS):
            found = vault.versions(name)
            head = head_of(found)
            if head is None and found.versions and not any(is_ours(each) for each in found.versions):
                raise _not_ours(name)
            if head is None or head.tags.get(STATE) == GONE:
                return None
            text = vault.read(name, head.version)
            if text is not None:
                return Held(text, head.version)
            if head_of(vault.versions(name)) == head:  # else somebody has removed it between the two looks
                break
        raise CredentialStoreError(
            f"The secret {name} is disabled", why="Somebody has switched it off", fix="Have it enabled, or remove it"
        )

    def _changed(self, vault: KeyVault, turn: Turn, address: Address, text: str | None, expected: str) -> Written:
        """The version that was made and counts."""
        name = self._name(address)
        found = vault.versions(name)
        head = head_of(found)
        if head is None and found.versions and not any(is_ours(each) for each in found.versions):
            raise _not_ours(name)
        change, place = secrets.token_hex(8), head.version if head is not None else NOTHING
        if _revision(head) != expected or in_doubt(found, place):
            raise conflict(address)
        tags = {CHANGE: change, REPLACES: place, "sentient": str(address), STATE: "held" if text is not None else GONE}
        turn.go_on()
        mine = vault.write(name, "-" if text is None else text, tags)
        won = self._settled(vault, name, mine, place)
        if won is not None and won.tags[CHANGE] == change:
            return won
        with contextlib.suppress(CredentialStoreError):  # it never counts, and is only to be read no more
            vault.disable(name, mine.version)
        raise conflict(address)

    def _settled(self, vault: KeyVault, name: str, mine: Written, place: str) -> Written | None:
        """What has taken the place of a version, once that is certain."""
        for _ in range(_LOOKS):
            found = vault.versions(name)
            left = mine.created + _MARGIN - found.now
            if left <= 0:
                return successor(found.versions, place)
            self._service.pause(left)
        raise CredentialStoreError(
            "It is not known whether the change was made",
            why="The clock of the service stands still",
            fix="Look what is stored, then try again",
        )

    def _addresses(self, wire: KeyVault) -> list[Address]:
        named = {name: address_of(self._prefix, name) for name in wire.names()}
        return [
            address
            for name, address in named.items()
            if address is not None and _revision(head_of(wire.versions(name)))
        ]


def name_of(prefix: str, address: Address) -> str:
    """What the secret of an address is called: Key Vault takes letters, digits and dashes.

    Raises:
        CredentialStoreError: it is too long for Key Vault.

    Example:
        >>> name_of("sentient", Address("default", "openai.eu-west"))
        'sentient--default--openai-deu-hwest'
    """
    parts = ("".join(_WRITTEN.get(character, character) for character in part) for part in address)
    name = _SEPARATOR.join((prefix, *parts))
    if len(name) > _LONGEST_NAME:
        raise CredentialStoreError(
            f"The name {address} is too long for Key Vault",
            why=f"It has {_LONGEST_NAME} characters for all of it, and dots, dashes and underscores take two",
            fix="Choose a shorter one",
        )
    return name


def address_of(prefix: str, name: str) -> Address | None:
    """The address that a secret is called after; None: it is none of ours.

    Example:
        >>> address_of("sentient", "sentient--default--openai-deu-hwest")
        Address(profile='default', name='openai.eu-west')
    """
    parts = name.split(_SEPARATOR)
    if len(parts) != _PARTS or parts[0] != prefix:
        return None
    address = Address(*(re.sub("-[hdu]", lambda found: _READ[found[0]], part) for part in parts[1:]))
    return address if all(is_name(part) for part in address) and name_of(prefix, address) == name else None


def _revision(head: Written | None) -> str:
    return "" if head is None or head.tags.get(STATE) == GONE else head.version


def _not_ours(name: str) -> CredentialStoreError:
    return CredentialStoreError(
        f"What is at {name} was not put there by this program",
        why="It has none of our tags",
        fix="Choose another `prefix` in [credentials.azure], or remove what is there",
    )
