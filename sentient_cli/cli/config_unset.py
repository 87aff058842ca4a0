"""``sentient config unset``."""

from __future__ import annotations

from sentient_cli.cli.config_options import TargetProfileOption, UnsetKeyArgument, UserOption
from sentient_cli.cli.invocation import current

__all__ = ["config_unset"]


def config_unset(key: UnsetKeyArgument, user: UserOption = False, profile: TargetProfileOption = None) -> None:
    """Take a setting out of the project's file, of your own, or of a profile.

    What a table holds goes with it, and so does the comment at the end of its line. What holds then is what the layer
    below says.
    """
    from sentient_cli.cli.config_options import changed_fields, told_place, told_version
    from sentient_cli.config.writing import find_target, key_path, write
    from sentient_cli.errors import ConfigurationNotFoundError

    here = current()
    target = find_target(here.project, user=user, profile=profile)
    path = key_path(key)
    written = write(target, {key: None}, means="unset")
    if not written.changed:
        raise ConfigurationNotFoundError(
            f"`{'.'.join(path):.200}` is not set in {told_place(target)}",
            fix=f"`sentient config explain {key:.200}` says where a value is from",
        )
    if here.console.json:
        here.console.json_line(changed_fields(target, written))
        return
    number = told_version(here, written)
    here.console.say(f"{key} is no longer set in {told_place(target)}{number}.")
