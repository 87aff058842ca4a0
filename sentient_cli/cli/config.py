"""``sentient config``: the settings, where each is from, and how they change. Each command is a module of its own."""

from __future__ import annotations

from sentient_cli.cli.commands import CommandRow

__all__ = ["COMMANDS", "config"]

_HERE = "sentient_cli.cli.config"

COMMANDS = (
    CommandRow("show", f"{_HERE}_show", "Show the settings that hold, as a settings file would have them."),
    CommandRow("explain", f"{_HERE}_explain", "Explain one setting: what each layer says, and which one won."),
    CommandRow("validate", f"{_HERE}_validate", "Say everything that is wrong, with file, line and column."),
    CommandRow("presets", f"{_HERE}_presets", "List presets of parameters, ours and your own."),
    CommandRow("set", f"{_HERE}_set", "Set a setting in a file: yours, the project's, or in a profile."),
    CommandRow("unset", f"{_HERE}_unset", "Take a setting out of a file."),
    CommandRow("edit", f"{_HERE}_edit", "Edit a settings file, and check it before it is taken."),
    CommandRow("diff", f"{_HERE}_diff", "Show the last change, or compare versions or profiles."),
    CommandRow("history", f"{_HERE}_history", "List the versions of a settings file: who, when, what."),
    CommandRow("rollback", f"{_HERE}_rollback", "Set a settings file back to one of its versions."),
    CommandRow("schema", f"{_HERE}_schema", "Print the JSON Schema of settings files, for editors."),
    CommandRow("experiments", f"{_HERE}_experiments", "Show what is on trial and what was found, or stop it."),
)


def config() -> None:
    """See the settings and change them.

    A setting has a name such as `server.port`. It can be given in several layers, of which a later one wins: default,
    preset, your own file, the project's file, profile, environment, experiment, session, flag.
    """
