"""``sentient keys import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyStoreOption, PassphraseFileOption, YesOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentient_cli.cli.keys_door import Door
    from sentient_cli.credentials.catalogue import Card
    from sentient_cli.credentials.item import Item
    from sentient_cli.credentials.names import Address

__all__ = ["keys_import"]


def keys_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `keys export` wrote.", show_default=False)],
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="The profile that gets them, else that of each.")
    ] = None,
    store: KeyStoreOption = None,
    passphrase_file: PassphraseFileOption = None,
    yes: YesOption = False,
) -> None:
    """Store the keys of a file that `sentient keys export` wrote.

    Each keeps its profile unless --profile names another. Whether keys that are there already are replaced is asked.
    """
    import time

    from sentient_cli.cli.keys_bundle import passphrase_source, read_bundle
    from sentient_cli.cli.keys_door import open_door
    from sentient_cli.cli.keys_table import show_cards

    here = current()
    items = read_bundle(file, passphrase_source(here, passphrase_file, file))
    with open_door(here, profile) as door:
        into = {door.manager.address(address.name, profile or address.profile): item for address, item in items.items()}
        if not yes:
            _require_consent(door, into, store)
        cards = [_store(door, address, item, store) for address, item in into.items()]
    if cards or here.console.json:
        show_cards(here.console, cards, time.time_ns())
    else:
        here.console.data("There are no keys in it.")


def _require_consent(door: Door, into: Mapping[Address, Item], store: str | None) -> None:
    from sentient_cli.cli.keys_ask import require_yes

    held = sorted({str(card.address) for each in into for card in door.manager.catalogue.find(each)})
    if held:
        names = ", ".join(held)
        where = f" (in {store})" if store else ""
        require_yes(door.here, f"Replace {names}{where}?", missing=f"There are keys {names} already")


def _store(door: Door, address: Address, item: Item, store: str | None) -> Card:
    from sentient_cli.config.secret import Secret
    from sentient_cli.credentials.rotation import current_of

    version = current_of(item)
    return door.manager.store(
        address.name,
        Secret(version.value),
        profile=address.profile,
        store=store,
        provider=item.provider,
        hosts=item.hosts or None,
        expires_at=version.expires_at,
        rotate_every=item.rotate_every,
        replace=True,
        raw=True,
    )
