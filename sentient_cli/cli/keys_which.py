"""``sentient keys which``."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, NameArgument
from sentient_cli.cli.options import EnvFileOption, NoEnvFileOption
from sentient_cli.errors import CredentialHostError, CredentialStoreError

if TYPE_CHECKING:
    from sentient_cli.cli.console import Console
    from sentient_cli.cli.keys_door import Door
    from sentient_cli.credentials.explained import Explained

__all__ = ["keys_which"]

_NOT_FOUND: Final = 3


def keys_which(
    name: NameArgument,
    profile: KeyProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Explain where a key comes from: each step of the look-up in its order, and which one won.

    Ends with 3 when none did. The key itself is not shown.
    """
    from sentient_cli.cli.keys_door import open_door

    here = current()
    with open_door(here, profile, env_file=env_file, no_env_file=no_env_file) as door:
        explained = door.manager.which(name)
    if here.console.json:
        here.console.json_line({**_fields(explained), "profile_by": door.why})
    else:
        _tell(here.console, explained, _advice(door, explained) if explained.won is None else "")
        _tell_where(door, name, explained.variable)
        if door.profile != "default":
            here.console.say(f"The profile is {door.profile}: {door.why}.")
    if explained.won is None:
        raise typer.Exit(_NOT_FOUND)


def _tell(console: Console, explained: Explained, advice: str) -> None:
    address, won = explained.address, explained.won
    many = len({step.profile for step in explained.steps if step.profile}) > 1
    for number, step in enumerate(explained.steps, 1):
        where = f"{step.where}, profile {step.profile}" if many and step.profile else step.where
        why = f" ({step.why})" if step.why else ""
        console.data(f"{number:>2}  {step.outcome:<10}  {where}{why}")
    fingerprint = f", fingerprint {explained.fingerprint}" if explained.fingerprint else ""
    if won is not None:
        console.say(f"{address} comes from {won.where}{fingerprint}.")
    else:
        console.say(advice)


def _advice(door: Door, explained: Explained) -> str:
    """What to do where no step has won."""
    address, refused = explained.address, door.manager.refused
    if refused is not None and any(step.outcome == "refused" for step in explained.steps):
        return f"{refused.fix}."
    profiles = sorted({*_profiles_of(door, address.name)} - {address.profile})
    there = f" There is one in the profile {', '.join(profiles[:3])}." if profiles else ""
    return f"There is no key {address}.{there} Store it with `sentient keys set {address.name}`."


def _tell_where(door: Door, name: str, variable: str) -> None:
    """Say so when the key of a variable would not be sent to where the provider is."""
    from sentient_cli.llm.providers.variables import require_variables

    try:
        require_variables(filter(None, [variable]), door.destination_of(name))
    except CredentialHostError as error:
        door.here.console.warn(error.what)


def _profiles_of(door: Door, name: str) -> list[str]:
    """The profiles that have a key of this name, as far as the catalogue can be read."""
    with contextlib.suppress(CredentialStoreError):
        return [card.profile for card in door.manager.list() if card.name == name and not card.is_begun]
    return []


def _fields(explained: Explained) -> dict[str, object]:
    steps = [
        {
            "place": step.place,
            "where": step.where,
            "outcome": step.outcome,
            "why": step.why or None,
            "profile": step.profile or None,
        }
        for step in explained.steps
    ]
    return {
        "name": explained.address.name,
        "profile": explained.address.profile,
        "won": explained.won.where if explained.won is not None else None,
        "fingerprint": explained.fingerprint or None,
        "steps": steps,
    }
