"""Options that the commands share which change settings, and how such a change is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from sentient_cli.cli.config_names import complete_key, complete_key_or_table

if TYPE_CHECKING:
    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config.writing import Target, Written

__all__ = [
    "SetKeyArgument",
    "TargetProfileOption",
    "UnsetKeyArgument",
    "UserOption",
    "changed_fields",
    "note_changes",
    "tell_doubts",
    "tell_what_holds",
    "told_place",
    "told_version",
]

SetKeyArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="A setting, such as server.port.", autocompletion=complete_key)
]
UnsetKeyArgument: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="KEY", help="A setting, or a table of them.", autocompletion=complete_key_or_table),
]
UserOption: TypeAlias = Annotated[
    bool, typer.Option("--user", help="In your own file, for all projects.", show_default=False)
]
TargetProfileOption: TypeAlias = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="In this profile of the file.")
]


def told_place(target: Target) -> str:
    """Where a setting is written to, for people."""
    from sentient_cli.cli.config_text import near_path

    profile = f", profile {target.profile}" if target.profile is not None else ""
    return f"{near_path(str(target.file))}{profile}"


def changed_fields(target: Target, written: Written) -> dict[str, object]:
    """What a change came to, for programs."""
    version = written.version
    changes = (
        []
        if version is None
        else [{"key": change.key, "before": change.before, "after": change.after} for change in version.changes]
    )
    return {
        "file": str(target.file),
        "profile": target.profile,
        "changed": written.changed,
        "version": None if version is None else version.number,
        "changes": changes,
    }


def note_changes(here: Invocation, target: Target) -> None:
    """Record what was changed by hand; that it cannot be is a warning, since versions can be read all the same."""
    from sentient_cli.config.writing import note_by_hand

    why = note_by_hand(target)
    if why:
        here.console.warn(f"what was changed by hand is not among the versions yet. {why}")


def tell_doubts(here: Invocation, target: Target, path: tuple[str, ...]) -> None:
    """Say what is doubtful about what was set: parameters that a model does not take, and what to do instead.

    Args:
        here: The invocation.
        target: Where the setting was written to.
        path: The setting.
    """
    if path[0] not in {"llm", "experiments"} or here.console.quiet:
        return
    from contextlib import suppress

    from sentient_cli.cli.config_doubts import doubts
    from sentient_cli.errors import SentientError

    of_table = {"parameters": f"`{path[-1]}`", "providers": "".join(path[2:3])}
    named = "" if path[0] != "llm" else of_table.get("".join(path[1:2]), "")
    with suppress(SentientError):
        for doubt in doubts(here.load(profile=target.profile, tell=False, details=False)):
            if named in doubt.what:
                here.console.warn(". ".join(filter(None, (doubt.what, doubt.fix))))


def told_version(here: Invocation, written: Written) -> str:
    """The version of a change, as the end of a sentence; what kept it from being recorded is a warning."""
    if written.unrecorded:
        here.console.warn(f"the change is not among the versions yet. {written.unrecorded}")
    return f", version {written.version.number}" if written.version is not None else ""


def tell_what_holds(here: Invocation, target: Target, name: str) -> None:
    """Say so where something else goes before what was written."""
    from contextlib import suppress

    from sentient_cli.cli.config_text import near_path
    from sentient_cli.config.explain import explain
    from sentient_cli.errors import SentientError

    with suppress(SentientError):
        loaded = here.load(tell=False, details=False)
        if target.profile not in {None, loaded.settings.profile}:
            here.console.say(
                f"It holds when the profile {target.profile} is chosen; that is {loaded.settings.profile} now."
            )
            return
        source = explain(loaded, name).source
        if not source.where.startswith(f"{target.file}:"):
            here.console.warn(f"it does not hold now: {near_path(str(source))} goes before it")
