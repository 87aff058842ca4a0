"""``sentient config rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from sentient_cli.cli.config_options import UserOption
from sentient_cli.cli.invocation import current

__all__ = ["config_rollback"]


def config_rollback(
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The number of a version.")],
    user: UserOption = False,
) -> None:
    """Set the settings of a file back to what they were in a version.

    They are checked first: a version that no longer validates is refused. Comments, order and secrets stay as they are
    today. It becomes a version of its own, so that a rollback can be undone by another one.
    """
    from sentient_cli.cli.config_options import changed_fields, told_place
    from sentient_cli.config.rollback import roll_back
    from sentient_cli.config.writing import find_target

    here = current()
    target = find_target(here.project, user=user)
    written, left = roll_back(target, version)
    if here.console.json:
        here.console.json_line({**changed_fields(target, written), "left": list(left)})
        return
    for name in left:
        here.console.warn(f"`{name}` holds a secret, which no version has: it is left as it is")
    if not written.changed:
        here.console.say(f"{told_place(target)} is as in version {version} already.")
        return
    number = written.version.number if written.version is not None else version
    here.console.say(f"{told_place(target)} is as in version {version}; that is version {number} now.")
