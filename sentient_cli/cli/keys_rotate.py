"""``sentient keys rotate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.keys_options import FromFileOption, KeyProfileOption, KeyStoreOption, NameArgument, RawOption
from sentient_cli.errors import ProviderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.cli.keys_door import Door
    from sentient_cli.cli.keys_make import Maker
    from sentient_cli.config.secret import Secret
    from sentient_cli.credentials.rotating import Rotated

__all__ = ["keys_rotate"]


def keys_rotate(  # noqa: PLR0917 - one parameter an option
    name: NameArgument,
    extra: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="")] = None,
    from_file: FromFileOption = None,
    every: Annotated[str | None, typer.Option("--every", metavar="TIME", help="How often from now on: 30d.")] = None,
    grace: Annotated[
        str | None, typer.Option("--grace", metavar="TIME", help="How long the key before stays: 15m, 0 (1h).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what was begun, or end a grace.", show_default=False)
    ] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Leave the new key out again.", show_default=False)] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Make no call with the new key first.", show_default=False)
    ] = False,
    create: Annotated[
        bool, typer.Option("--create", help="Have the provider make the key: OpenAI, OpenRouter.", show_default=False)
    ] = False,
    admin: Annotated[
        str | None, typer.Option("--admin", metavar="NAME", help="The administrator's key for that, else NAME-admin.")
    ] = None,
    raw: RawOption = False,
    profile: KeyProfileOption = None,
    store: KeyStoreOption = None,
) -> None:
    """Put another key in the place of one, while calls go on.

    The new key is typed at a hidden prompt, or comes on stdin or from a file, or its provider makes it (--create).
    The provider is asked with it first: if that fails, the key in use stays. Calls that have begun go on with the key
    before, until its grace is over; one that the provider made is removed there then.
    """
    from sentient_cli.cli.keys_door import open_door
    from sentient_cli.cli.keys_times import parse_length
    from sentient_cli.cli.keys_value import refuse_arguments

    refuse_arguments(name, extra, "rotate")
    if resume + abort + create > 1:
        raise UsageError(
            "A rotation is begun, gone on with or left, and only one of these",
            fix="Leave out all of --create, --resume and --abort but one",
        )
    here = current()
    period = parse_length(every, "--every") if every is not None else None
    seconds = parse_length(grace, "--grace") if grace is not None else None
    wanted = _Wanted(store, from_file, seconds, period, raw, resume, create, unchecked)
    with open_door(here, profile) as door:
        maker = _maker(door, name, admin)
        is_idle = resume and door.manager.rotation(name, store=store).phase == "steady"
        with maker.tidying(store):
            rotated = door.manager.abort_rotation(name, store=store) if abort else _rotate(door, name, wanted, maker)
    _tell(here, rotated, aborted=abort, is_idle=is_idle)


class _Wanted(NamedTuple):
    """What the options say."""

    store: str | None
    from_file: Path | None
    grace: int | None
    every: int | None
    raw: bool
    resume: bool
    create: bool
    unchecked: bool


def _maker(door: Door, name: str, admin: str | None) -> Maker:
    from sentient_cli.cli.keys_make import Maker

    held = door.manager.catalogue.find(door.manager.address(name))
    return Maker(door, name, next((card.provider for card in held if card.provider), "") or name, admin)


def _rotate(door: Door, name: str, wanted: _Wanted, maker: Maker) -> Rotated:
    value = None if wanted.resume or wanted.create else _next_value(door, name, wanted)
    check = _check(door, name, wanted)
    if wanted.create and not wanted.resume:
        maker.begin(wanted.store, every=wanted.every)
        check = maker.patient(check)
    seconds = door.loaded.settings.credentials.grace if wanted.grace is None else wanted.grace
    try:
        return door.manager.rotate(
            name, value, check=check, store=wanted.store, grace=seconds, every=wanted.every, raw=wanted.raw
        )
    except ProviderError as error:
        error.why = f"{error.why.rstrip('.')}{'. ' if error.why else ''}The key in use stays as it was"
        raise


def _next_value(door: Door, name: str, wanted: _Wanted) -> Secret:
    from sentient_cli.cli.keys_value import read_value

    before = door.manager.rotation(name, store=wanted.store)
    if before.phase in {"trying", "verified"}:
        raise UsageError(
            f"A rotation of {before.address} goes on already",
            why=f"The key with the fingerprint {before.waiting or '(a short key has none)'} was not put into use yet",
            fix="Pass --resume to go on with it, or --abort to leave it",
        )
    return read_value(door.here, wanted.from_file, question=f"New key for {name}", raw=wanted.raw)


def _check(door: Door, name: str, wanted: _Wanted) -> Callable[[Secret], None]:
    if wanted.unchecked:
        return lambda _: None
    held = door.manager.catalogue.find(door.manager.address(name))
    provider = door.require_provider(name, next((card.provider for card in held if card.provider), ""))
    door.manager.require_destination(name, door.destination_of(provider), store=wanted.store)

    def check(key: Secret) -> None:
        from sentient_cli.cli.keys_check import check_key

        taken = check_key(door.loaded, provider, key)
        door.here.console.say(f"{provider} takes the new key: {taken.text}")

    return check


def _tell(here: Invocation, rotated: Rotated, *, aborted: bool, is_idle: bool) -> None:
    import time

    from sentient_cli.cli.keys_times import moment, until

    if here.console.json:
        told = {"fingerprint": rotated.fingerprint or None, "waiting": rotated.waiting or None}
        here.console.json_line(
            {
                "name": rotated.address.name,
                "profile": rotated.address.profile,
                "store": rotated.store,
                "phase": rotated.phase,
                "version": rotated.version,
                "retires": moment(rotated.retire_at),
                **told,
            }
        )
        return
    fingerprint = f", fingerprint {rotated.fingerprint}" if rotated.fingerprint else ""
    if aborted:
        here.console.say(f"The new key of {rotated.address} was left out; the one in use stays{fingerprint}.")
        return
    here.console.say(f"The key of {rotated.address} is in use{fingerprint}.")
    if is_idle:
        here.console.say("No rotation of it goes on, and nothing was changed.")
        return
    now = time.time_ns()
    if rotated.retire_at > now:
        here.console.say(
            f"The one before stays for {until(rotated.retire_at, now)}; revoke it at the provider after that."
        )
    elif not rotated.retire_at:
        here.console.say("The one before is gone from here; revoke it at the provider.")
