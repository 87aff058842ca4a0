"""``sentient keys move``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, NameArgument

__all__ = ["keys_move"]


def keys_move(
    name: NameArgument,
    to: Annotated[str, typer.Option("--to", metavar="STORE", help="The store that is to have it.", show_default=False)],
    profile: KeyProfileOption = None,
) -> None:
    """Move a key, with all its versions, to another store.

    It is there, and read back, before it is removed where it was. Whoever is ended in between has it in both, and can
    do this again.
    """
    import time

    from sentient_cli.cli.keys_door import open_door
    from sentient_cli.cli.keys_table import fields

    here = current()
    with open_door(here, profile) as door:
        card = door.manager.move(name, to=to)
    if here.console.json:
        here.console.json_line(fields(card, time.time_ns()))
    else:
        here.console.say(f"{card.address} is in {card.store} now.")
