"""``sentient config set``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.config_options import SetKeyArgument, TargetProfileOption, UserOption
from sentient_cli.cli.invocation import current

__all__ = ["config_set"]


def config_set(
    key: SetKeyArgument,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its value; text needs no quotes of its own.")],
    user: UserOption = False,
    profile: TargetProfileOption = None,
) -> None:
    """Set a setting in the project's file, in your own, or in a profile.

    The value is read as TOML, and as the setting has it: `0.2`, `true`, `a,b` for a list. Everything in the file is
    checked before anything is written; comments, order and quotes stay as they are. Behind `--` a value may begin
    with `-`. Secrets are refused: those belong to `sentient keys` or the environment.
    """
    from sentient_cli.cli.config_options import (
        changed_fields,
        tell_doubts,
        tell_what_holds,
        told_place,
        told_version,
    )
    from sentient_cli.cli.config_text import seen
    from sentient_cli.config.given import read_value
    from sentient_cli.config.toml_text import value_text
    from sentient_cli.config.writing import find_target, key_path, write

    here = current()
    path = key_path(key)
    found = read_value(path, value)
    target = find_target(here.project, user=user, profile=profile)
    written = write(target, {key: found}, means="set")
    if here.console.json:
        here.console.json_line(changed_fields(target, written))
        return
    number = told_version(here, written)
    said = seen(f"{key} = {value_text(found, one_line=True)}", here.console.stderr)
    here.console.say(f"{said} in {told_place(target)}{number}." if written.changed else f"{said} was set already.")
    tell_what_holds(here, target, ".".join(path))
    tell_doubts(here, target, path)
