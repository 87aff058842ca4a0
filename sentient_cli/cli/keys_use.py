"""``sentient keys use``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.invocation import current

__all__ = ["keys_use"]


def keys_use(
    profile: Annotated[
        str | None, typer.Argument(metavar="PROFILE", help="Its name; else the chosen one is told.", show_default=False)
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Bind the project to no profile any more.", show_default=False)
    ] = False,
) -> None:
    """Choose the profile of keys that is meant where none is named.

    With `--project DIR` it is meant in that directory and below it only. The choice is kept with you, not in the
    files of the project. A flag and SENTIENT_PROFILE in the shell go before it. Where a project names a profile of
    keys itself, this agrees to it.
    """
    from difflib import get_close_matches
    from pathlib import Path

    from sentient_cli.credentials.bindings import Bindings
    from sentient_cli.credentials.catalogue import Catalogue
    from sentient_cli.credentials.names import check_profile
    from sentient_cli.errors import UsageError

    here, bindings = current(), Bindings()
    folder = str(here.project.resolve()) if here.project is not None else ""
    if forget:
        if here.project is None or profile is not None:
            raise UsageError("Only a project can be unbound", fix="Give --forget with --project DIR, and no profile")
        _record("profile-unbound", folder, {})
        bindings.forget(here.project)
    elif profile is not None:
        check_profile(profile)
        _record("profile-bound" if folder else "profile-chosen", folder or profile, {"profile": profile})
        bindings.use(profile, project=here.project)
        known = Catalogue().profiles()
        if profile not in known:
            near = get_close_matches(profile, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            here.console.say(f"Nothing is stored in {profile} yet.{hint}")
    chosen = bindings.chosen(here.project or Path.cwd())
    if here.console.json:
        here.console.json_line({"profile": chosen.profile, "why": chosen.why})
    else:
        here.console.data(f"{chosen.profile} ({chosen.why})")
        _tell_what_is_meant(chosen.profile)


def _tell_what_is_meant(chosen: str) -> None:
    """Say so where something else goes before the choice, or the project names another profile."""
    from contextlib import suppress
    from dataclasses import replace

    from sentient_cli.errors import SentientError
    from sentient_cli.host.credentials import profile_of

    here = current()
    with suppress(SentientError):  # of wrong settings other commands tell
        loaded = here.load(tell=False)
        meant = profile_of(replace(loaded, project_dir=loaded.project_dir or here.project))
        if meant.refusal is not None:
            here.console.say(f"The project names {meant.profile}, which is not agreed to.")
        elif meant.profile != chosen:
            here.console.say(f"Here {meant.profile} is meant: {meant.why}.")


def _record(action: str, subject: str, data: dict[str, str | int]) -> None:
    """Tell the audit log, before anything is changed."""
    from sentient_cli.audit import AuditLog, AuditPlaces, Event

    checkpoint = current().load(tell=False).settings.audit.checkpoint
    AuditLog(AuditPlaces.of_this_user(checkpoint)).append(Event("credential", action, subject, data))
