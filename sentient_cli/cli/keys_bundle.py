"""A file of keys to take elsewhere: encrypted with a passphrase, in the format of the encrypted store."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import CredentialStoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.credentials.item import Item
    from sentient_cli.credentials.names import Address
    from sentient_cli.credentials.stores.passphrases import PassphraseSource

__all__ = ["passphrase_source", "read_bundle", "write_bundle"]

_LARGEST: Final = 64 * 1024 * 1024


def passphrase_source(here: Invocation, file: Path | None, path: Path) -> PassphraseSource:
    """Where the passphrase of a bundle comes from: a file, or whoever is asked.

    Args:
        here: The call.
        file: The value of --passphrase-file.
        path: The bundle.
    """
    from sentient_cli.cli.keys_door import ask_passphrase
    from sentient_cli.credentials.stores.passphrases import from_file

    if file is not None:
        return from_file(file)
    if not here.console.interactive:
        raise UsageError(
            f"The passphrase of {path} is missing",
            why="There is no terminal to ask at",
            fix="Give it with --passphrase-file",
        )
    return lambda new: ask_passphrase(here, new=new, what=str(path))


def write_bundle(path: Path, items: Mapping[Address, Item], passphrase: PassphraseSource) -> None:
    """Write items to a file, as a whole or not at all.

    Raises:
        CredentialStoreError: the passphrase is too short, or the file cannot be written.
    """
    from sentient_cli.credentials.item import encode_item
    from sentient_cli.credentials.stores.places import replace_own
    from sentient_cli.credentials.stores.sealing import Cost, Kept, new_head, seal, unlock

    keys = unlock(new_head(Cost()), passphrase(True), str(path), new=True)
    try:
        kept = {
            str(address): Kept(encode_item(item).reveal(), secrets.token_hex(16)) for address, item in items.items()
        }
        replace_own(path, seal(keys, kept))
    finally:
        keys.wipe()


def read_bundle(path: Path, passphrase: PassphraseSource) -> dict[Address, Item]:
    """The items of a file.

    Raises:
        UsageError: there is no such file.
        CredentialStoreError: it is open to others, damaged or no such file, or the passphrase is wrong.
    """
    from sentient_cli.config.secret import Secret
    from sentient_cli.credentials.item import decode_item
    from sentient_cli.credentials.names import Address, check_name, check_profile
    from sentient_cli.credentials.rotation import check_item
    from sentient_cli.credentials.stores.places import read_own
    from sentient_cli.credentials.stores.sealing import parse, unlock, unseal

    data = read_own(path, _LARGEST) if os.path.lexists(path) else None
    if data is None:
        raise UsageError(f"There is no file {path}", fix="Check its name")
    sealed = parse(data, str(path))
    keys = unlock(sealed.head, passphrase(False), str(path))
    try:
        found = unseal(keys, sealed, str(path))
    finally:
        keys.wipe()
    items: dict[Address, Item] = {}
    for text, kept in sorted(found.items()):
        profile, _, name = text.partition("/")
        try:
            address = Address(check_profile(profile), check_name(name))
        except UsageError as error:
            raise CredentialStoreError(f"{path} has a key with an odd name", why=error.what) from error
        items[address] = check_item(decode_item(Secret(kept.text)))
    return items
