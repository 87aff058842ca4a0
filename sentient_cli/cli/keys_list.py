"""``sentient keys list``: what is stored, from the catalogue alone."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption

__all__ = ["keys_list"]


def keys_list(
    profile: KeyProfileOption = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the list anew from the stores first.", show_default=False)
    ] = False,
) -> None:
    """List the keys of all profiles, or of one: never a key itself.

    No store is asked, and nothing is unlocked. The column `next` says what a key needs: it is overdue for a rotation,
    has expired, or will. With --json each key is one line.
    """
    import time

    from sentient_cli.cli.keys_table import show_cards
    from sentient_cli.credentials.catalogue import Catalogue

    here = current()
    if rebuild:
        from sentient_cli.cli.keys_door import open_door

        with open_door(here, None) as door:
            door.manager.rebuild_catalogue()
    catalogue = Catalogue()
    every = catalogue.cards()
    cards = [card for card in every if profile in {None, card.profile}]
    if not cards and profile is not None and every:
        from sentient_cli.cli.keys_door import no_such_profile

        raise no_such_profile(profile, catalogue.profiles())
    if cards or here.console.json:
        show_cards(here.console, cards, time.time_ns())
    else:
        here.console.data("No keys are stored yet. Store one with `sentient keys set NAME`, such as openai.")
