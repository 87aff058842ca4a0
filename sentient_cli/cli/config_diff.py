"""``sentient config diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.config_options import UserOption
from sentient_cli.cli.invocation import current

if TYPE_CHECKING:
    from sentient_cli.config import Settings

__all__ = ["config_diff"]


def config_diff(
    before: Annotated[
        str | None,
        typer.Argument(metavar="BEFORE", help="A version, `now`, or a profile; else the version before the last."),
    ] = None,
    after: Annotated[str | None, typer.Argument(metavar="AFTER", help="The same; else what the file says now.")] = None,
    user: UserOption = False,
) -> None:
    """Show what is different between two versions of a settings file, or between two profiles.

    Without arguments: what the last change was. `3` is a version, `now` the file as it is. With names of profiles, such
    as `default production`, what would hold with each of them is compared, variables of the environment included.
    Secrets are masked.
    """
    from sentient_cli.cli.config_options import note_changes
    from sentient_cli.cli.config_text import seen
    from sentient_cli.config.compared import compared
    from sentient_cli.config.toml_text import value_text
    from sentient_cli.config.writing import find_target

    here = current()

    def held(profile: str) -> Settings:
        return here.load(profile=profile, tell=False, details=False).settings

    target = find_target(here.project, user=user)
    note_changes(here, target)
    changes = compared(target, before, after, held)
    if here.console.json:
        for change in changes:
            here.console.json_line({"key": change.key, "before": change.before, "after": change.after})
        return
    for change in changes:
        for sign, value in (("-", change.before), ("+", change.after)):
            if value is not None:
                told = seen(f"{sign} {change.key} = {value_text(value, one_line=True)}", here.console.stdout)
                here.console.data(told)
    if not changes:
        here.console.say("Nothing is different.")
