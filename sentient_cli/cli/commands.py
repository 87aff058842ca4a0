"""The table of commands, and how a command is written.

A command is a module of ``sentient_cli.cli`` with a function of the command's name (``-`` becomes ``_``) that is
decorated nowhere::

    from sentient_cli.cli.invocation import current
    from sentient_cli.cli.options import AgentArgument, PortOption, ProfileOption


    def serve(
        agent: AgentArgument = None,
        port: PortOption = None,
        profile: ProfileOption = None,
    ) -> None:
        \"\"\"The help of the command: its first line is one sentence.\"\"\"
        from sentient_cli.somewhere import run_server  # heavy imports stand in the body

        here = current()
        loaded = here.load({"agent": agent, "server.port": port}, profile=profile)
        here.console.say("Serving on ...")
        run_server(loaded.settings)

- Parameters are typed ``Annotated[...]``; an alias in `options` is used when there is one. An option that is also a
  setting has the default ``None`` ("not given"), so that the layers below it decide.
- ``--json``, ``-q``, ``-v``, ``--no-color`` and ``--project`` are added to every command and read from `current()`.
- Data goes to ``console.data`` or ``console.json_line`` (stdout), talk to ``console.say`` (stderr). Nobody else prints.
- A failure is raised as a `SentientError`; an exit code without an error is ``raise typer.Exit(code)``.
- Other parameters are declared in place: ``name: Annotated[str | None, typer.Option(help="...")] = None``.
- At import a command module imports the standard library, typer and `sentient_cli.cli`, and nothing heavier.
- The docstring is help for a reader: no ``Args:`` section.

A command with commands of its own is a row with ``group=True``: its module has a function of its name, whose docstring
is the help of all of them, and a table ``COMMANDS``. The function of a row ``list`` under ``keys`` is ``keys_list``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMMANDS", "CommandRow", "commands_of", "find_command", "load_command"]


class CommandRow(NamedTuple):
    """One command: its name, the module that holds it, and one line of help that needs no import.

    A command that ``hands_on`` has options only before its first argument; what follows that is for what it executes.
    One that is a ``group`` has commands of its own.
    """

    name: str
    module: str
    help: str
    hands_on: bool = False
    group: bool = False


COMMANDS: tuple[CommandRow, ...] = (
    CommandRow("create", "sentient_cli.cli.create", "Make a new project: set up, tested, ready to run."),
    CommandRow("dev", "sentient_cli.cli.dev", "Serve an agent while you write it: each save is live."),
    CommandRow("serve", "sentient_cli.cli.serve", "Serve an agent over HTTP, for production."),
    CommandRow("chat", "sentient_cli.cli.chat", "Talk to a running agent."),
    CommandRow("ask", "sentient_cli.cli.ask", "Ask a model one question."),
    CommandRow("models", "sentient_cli.cli.models", "List models: what they can do and what they cost."),
    CommandRow("usage", "sentient_cli.cli.usage", "Show what models were used for, and what it cost."),
    CommandRow("keys", "sentient_cli.cli.keys", "Keep the keys of providers: store, check, rotate.", group=True),
    CommandRow("config", "sentient_cli.cli.config", "Settings: see, explain, check and change them.", group=True),
    CommandRow("audit", "sentient_cli.cli.audit", "Check and read the audit log.", group=True),
    CommandRow("run", "sentient_cli.cli.run", "Execute an agent file as it is.", hands_on=True),
    CommandRow("update", "sentient_cli.cli.update", "Bring the changes of the template into this project."),
    CommandRow("learn", "sentient_cli.cli.learn", "Learn to make and test an agent, step by step."),
    CommandRow("doctor", "sentient_cli.cli.doctor", "Check this machine and this project."),
    CommandRow("completion", "sentient_cli.cli.completion", "Print the completion script of a shell."),
)


def find_command(name: str) -> CommandRow | None:
    """The row of a command.

    Example:
        >>> row = find_command("chat")
        >>> row.module if row else None
        'sentient_cli.cli.chat'
    """
    return next((row for row in COMMANDS if row.name == name), None)


def load_command(row: CommandRow, group: str = "") -> Callable[..., None]:
    """Import the module of a command and return its function.

    Args:
        row: The command.
        group: The command that it belongs to.
    """
    module = importlib.import_module(row.module)
    name = f"{group}_{row.name}" if group else row.name
    function: Callable[..., None] = getattr(module, name.replace("-", "_"))
    return function


def commands_of(row: CommandRow) -> tuple[CommandRow, ...]:
    """The commands of a group; none, where it is none."""
    rows: tuple[CommandRow, ...] = importlib.import_module(row.module).COMMANDS if row.group else ()
    return rows
