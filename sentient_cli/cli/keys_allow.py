"""``sentient keys allow``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import KeyProfileOption, KeyStoreOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.cli.invocation import Invocation

__all__ = ["keys_allow"]


def keys_allow(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Of the key, or the variable that it is in.", show_default=False)
    ],
    hosts: Annotated[
        list[str], typer.Argument(metavar="HOST...", help="Such as models.example.com.", show_default=False)
    ],
    remove: Annotated[bool, typer.Option("--remove", help="Allow these no longer.", show_default=False)] = False,
    profile: KeyProfileOption = None,
    store: KeyStoreOption = None,
) -> None:
    """Choose the hosts that a key may be sent to, beside those that it has.

    Settings say where a provider is, and a project may say anything: a key goes only where its user has agreed to.
    A variable such as OPENAI_API_KEY goes to its provider's own hosts and to these.
    """
    import time

    from sentient_cli.cli.keys_door import open_door
    from sentient_cli.cli.keys_table import fields
    from sentient_cli.credentials.variable_hosts import is_variable

    here = current()
    if is_variable(name):
        _allow_variable(here, name, hosts, remove=remove)
        return
    with open_door(here, profile) as door:
        card = door.manager.allow(name, *hosts, store=store, remove=remove)
    if here.console.json:
        here.console.json_line(fields(card, time.time_ns()))
    else:
        here.console.say(f"{card.address} is sent to {', '.join(card.hosts) or 'its vendor'} alone.")


def _allow_variable(here: Invocation, name: str, hosts: Sequence[str], *, remove: bool) -> None:
    from sentient_cli.audit import AuditLog, AuditPlaces, Event
    from sentient_cli.credentials.destinations import check_hosts
    from sentient_cli.credentials.variable_hosts import VariableHosts
    from sentient_cli.errors import UsageError
    from sentient_cli.llm.providers.variables import owner_of

    owner, checked = owner_of(name), check_hosts(hosts)
    if owner is None:
        raise UsageError(
            f"The variable {name[:80]} is for nobody in particular",
            why="It goes wherever settings that name it with `api_key_env` say that a provider is",
            fix="Nothing has to be allowed",
        )
    event = Event("credential", "unbound" if remove else "bound", f"variable/{name}", {"hosts": ", ".join(checked)})
    AuditLog(AuditPlaces.of_this_user(here.load(tell=False).settings.audit.checkpoint)).append(event)
    allowed = VariableHosts().allow(name, checked, remove=remove)
    if here.console.json:
        here.console.json_line({"variable": name, "provider": owner.name, "hosts": list(allowed)})
    else:
        there = ", ".join((*owner.told, *allowed)) or "no model"
        here.console.say(f"{name} is sent to {there} alone.")
