"""``sentient config history``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from sentient_cli.cli.config_options import UserOption
from sentient_cli.cli.invocation import current

if TYPE_CHECKING:
    from sentient_cli.config.differences import Change
    from sentient_cli.config.versions import Version

__all__ = ["config_history"]

_COLUMNS = ("version", "when", "who", "by", "changes")


def config_history(
    user: UserOption = False,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="How many, of the newest.")] = 20,
) -> None:
    """List the versions of a settings file: who changed what, when, and how. The newest comes first.

    A change by hand is recorded by the next of these commands, or by the `dev` or `serve` that takes it up. The newest
    500 versions are kept on this machine, in 8 MiB at most, without secrets.
    """
    from sentient_cli.cli.config_options import note_changes, told_place
    from sentient_cli.cli.keys_table import columns
    from sentient_cli.config.versions import Versions
    from sentient_cli.config.writing import find_target

    here = current()
    target = find_target(here.project, user=user)
    note_changes(here, target)
    versions = list(reversed(Versions(target.file).all()))[:limit]
    if here.console.json:
        for version in versions:
            here.console.json_line(_fields(version))
    elif not versions:
        here.console.say(f"No version of {told_place(target)} was recorded.")
    else:
        rows = [_cells(version, here.console.stdout) for version in versions]
        for line in columns(_COLUMNS, rows, here.console.width(), ("who",)):
            here.console.data(line)


def _fields(version: Version) -> dict[str, object]:
    return {
        "version": version.number,
        "at": version.at or None,
        "who": version.who or None,
        "by": version.means,
        "note": version.note or None,
        "file": version.file,
        "sha256": version.sha256,
        "whole": version.is_whole,
        "changes": [{"key": change.key, "before": change.before, "after": change.after} for change in version.changes],
    }


def _cells(version: Version, stream: TextIO | None) -> dict[str, str]:
    from sentient_cli.cli.config_text import seen
    from sentient_cli.sanitize import sanitize_line

    told = ", ".join(_told(change) for change in version.changes) if version.is_whole else "(damaged)"
    return {
        "version": str(version.number),
        "when": version.at[:19].replace("T", " ") or "-",
        "who": version.who or "-",
        "by": f"{version.means} {version.note}".rstrip(),
        "changes": sanitize_line(seen(told, stream)) or "-",
    }


def _told(change: Change) -> str:
    from sentient_cli.config.toml_text import value_text

    if change.after is None:
        return f"without {change.key}"
    return f"{change.key} = {value_text(change.after, one_line=True)}"
