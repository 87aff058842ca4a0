"""``sentient keys set``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import (
    FromFileOption,
    HostsOption,
    KeyProfileOption,
    KeyStoreOption,
    NameArgument,
    RawOption,
    YesOption,
)

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.cli.keys_door import Door
    from sentient_cli.credentials.catalogue import Card

__all__ = ["keys_set"]


def keys_set(  # noqa: PLR0917 - one parameter an option
    name: NameArgument,
    extra: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="")] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="ID", help="Whose key it is, else the provider called NAME.")
    ] = None,
    hosts: HostsOption = None,
    profile: KeyProfileOption = None,
    store: KeyStoreOption = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="When it ends by itself: 90d, or a day.")
    ] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="How often it is to be rotated: 30d.")
    ] = None,
    from_file: FromFileOption = None,
    raw: RawOption = False,
    yes: YesOption = False,
) -> None:
    """Store a key.

    It is typed or pasted at a prompt that does not show it, or comes on stdin or from a file. It is never an argument.
    White space at its ends is left out. It is sent nowhere but to its provider's host, or to those of --host. With
    --json what was stored is one line, without the key.
    """
    import time

    from sentient_cli.cli.keys_door import open_door
    from sentient_cli.cli.keys_table import fields
    from sentient_cli.cli.keys_times import parse_length, parse_moment
    from sentient_cli.cli.keys_value import read_value, refuse_arguments

    refuse_arguments(name, extra)
    here = current()
    expires_at = parse_moment(expires, time.time_ns(), "--expires") if expires else 0
    rotate_every = parse_length(every, "--every") if every else 0
    with open_door(here, profile) as door:
        whose = door.provider_of(name, provider)
        _require_consent(here, door, name, store, yes=yes)
        value = read_value(here, from_file, question=f"Key for {name}", raw=raw)
        card = door.manager.store(
            name,
            value,
            store=store,
            provider=whose,
            hosts=hosts,
            expires_at=expires_at,
            rotate_every=rotate_every,
            replace=True,
            raw=raw,
        )
    if here.console.json:
        here.console.json_line(fields(card, time.time_ns()))
    else:
        here.console.say(_stored(card))
        _tell_where(here, card)


def _require_consent(here: Invocation, door: Door, name: str, store: str | None, *, yes: bool) -> None:
    cards = door.manager.catalogue.find(door.manager.address(name))
    held = [card for card in cards if store in {None, card.store} and not card.is_begun]
    if yes or not held:
        return
    from sentient_cli.cli.keys_ask import require_yes

    require_yes(
        here,
        f"There is a key {held[0].address} in {held[0].store} already. Put another one in its place?",
        missing=f"There is a key {held[0].address} already",
        why="`sentient keys rotate` keeps both for a while, so that no call fails",
    )


def _tell_where(here: Invocation, card: Card) -> None:
    from sentient_cli.llm.providers.kinds import KINDS

    usual = KINDS[card.provider].host if card.provider in KINDS else ""
    if card.hosts and card.hosts != (usual,):
        here.console.say(f"It is sent to {', '.join(card.hosts)} alone.")
    elif not card.hosts and not usual:
        here.console.say(f"It is sent nowhere before `sentient keys allow {card.name} HOST`.")


def _stored(card: Card) -> str:
    fingerprint = f", fingerprint {card.fingerprint}" if card.fingerprint else ""
    return f"Stored {card.address} in {card.store}{fingerprint}."
