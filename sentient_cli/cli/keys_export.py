"""``sentient keys export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, PassphraseFileOption, YesOption
from sentient_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.cli.keys_door import Door
    from sentient_cli.credentials.item import Item
    from sentient_cli.credentials.names import Address

__all__ = ["keys_export"]


def keys_export(
    names_and_file: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAMES] FILE", help="The keys, else all of the profile; and the file.", show_default=False
        ),
    ],
    profile: KeyProfileOption = None,
    passphrase_file: PassphraseFileOption = None,
    yes: YesOption = False,
) -> None:
    """Write keys to a file that is encrypted with a passphrase, for another machine.

    The keys are those of the stores, without versions before or to come. The file can be read by you alone, and has
    the format of the encrypted store.
    """
    from sentient_cli.cli.keys_bundle import passphrase_source, write_bundle
    from sentient_cli.cli.keys_door import open_door

    here = current()
    *names, last = names_and_file
    file = Path(last)
    if not file.absolute().parent.is_dir():
        raise UsageError(f"There is no directory {file.absolute().parent}", fix="Make it, or give another file")
    if file.exists() and not yes:
        raise UsageError(f"{file} is there already", fix="Pass --yes to replace it, or give another file")
    source = passphrase_source(here, passphrase_file, file)
    with open_door(here, profile, only_stores=True) as door:
        items = _items(door, names)
    write_bundle(file, items, source)
    if here.console.json:
        for address, item in items.items():
            told = {"name": address.name, "profile": address.profile, "provider": item.provider or None}
            here.console.json_line({**told, "file": str(file)})
    else:
        count = f"{len(items)} key{'' if len(items) == 1 else 's'}"
        here.console.say(f"Wrote {count} of the profile {door.profile} to {file}, encrypted.")


def _items(door: Door, names: Sequence[str]) -> dict[Address, Item]:
    from sentient_cli.clock import SystemClock, SystemIds
    from sentient_cli.credentials.names import Address
    from sentient_cli.credentials.rotation import first

    door.require_profile(door.profile)
    cards = {card.name: card for card in door.manager.list(profile=door.profile)}
    ids = SystemIds(SystemClock())
    items: dict[Address, Item] = {}
    for name in names or sorted(cards):
        lease = door.manager.get(name, purpose="keys export")
        card = cards.get(name)
        items[Address(door.profile, name)] = first(
            lease.secret,
            ids.ulid_text(),
            now=card.changed_at if card is not None else 0,
            provider=lease.provider,
            expires_at=lease.expires_at,
            rotate_every=card.rotate_every if card is not None else 0,
        )
    return items
