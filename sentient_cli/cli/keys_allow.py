"""``sentient keys allow``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, KeyStoreOption, NameArgument

__all__ = ["keys_allow"]


def keys_allow(
    name: NameArgument,
    hosts: Annotated[
        list[str], typer.Argument(metavar="HOST...", help="Such as models.example.com.", show_default=False)
    ],
    remove: Annotated[bool, typer.Option("--remove", help="Allow these no longer.", show_default=False)] = False,
    profile: KeyProfileOption = None,
    store: KeyStoreOption = None,
) -> None:
    """Choose the hosts that a key may be sent to, beside those that it has.

    Settings say where a provider is, and a project may say anything: a key goes only where its user has agreed to.
    """
    import time

    from sentient_cli.cli.keys_door import open_door
    from sentient_cli.cli.keys_table import fields

    here = current()
    with open_door(here, profile) as door:
        card = door.manager.allow(name, *hosts, store=store, remove=remove)
    if here.console.json:
        here.console.json_line(fields(card, time.time_ns()))
    else:
        here.console.say(f"{card.address} is sent to {', '.join(card.hosts) or 'its vendor'} alone.")
