"""The root of the command line over Typer: global options everywhere, commands imported when they are needed."""

from __future__ import annotations

import difflib
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
import typer.main
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typing_extensions import override

from sentient_cli.cli.commands import COMMANDS, CommandRow, commands_of, find_command, load_command
from sentient_cli.cli.help import HelpCommand, write_help, write_usage
from sentient_cli.cli.invocation import current
from sentient_cli.config.environ import PYDANTIC_PLUGINS, variable
from sentient_cli.errors import UsageError, UserInterruptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer._click import Command, Context, HelpFormatter

__all__ = ["build", "run"]

MAXIMUM_WIDTH = 100
_LIKE_A_SECRET = ("key", "value", "secret", "token", "passw")
_EXTRA = "Got unexpected extra argument"
_KINDS = {"a valid integer": "a whole number", "a valid number": "a number"}


def _set_json(value: bool) -> None:
    current().console.json |= value


def _set_quiet(value: bool) -> None:
    current().console.quiet |= value


def _add_verbose(value: int) -> None:
    current().console.verbose += value


def _set_no_color(value: bool) -> None:
    current().console.no_color |= value


def _set_project(value: Path | None) -> None:
    if value is not None:
        if not value.is_dir():  # no command takes what others refuse
            raise UsageError(f"There is no directory {value}", fix="Check the path given with --project")
        current().project = value


def _show_version(value: bool) -> None:
    if value:
        from sentient_cli.cli.version import print_version

        print_version(current().console)
        raise typer.Exit


def _root(
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="JSON on stdout, errors as JSON on stderr.",
            callback=_set_json,
            expose_value=False,
            is_eager=True,
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say less.", callback=_set_quiet, expose_value=False)
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            help="Say more; -vv: even more.",
            count=True,
            show_default=False,
            callback=_add_verbose,
            expose_value=False,
        ),
    ] = 0,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours.", callback=_set_no_color, expose_value=False)
    ] = False,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project", metavar="DIR", help="The project's directory.", callback=_set_project, expose_value=False
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, expose_value=False, is_eager=True),
    ] = False,
) -> None:
    """The parameters are the global options; their callbacks do the work."""


class _Table(TyperGroup):
    """A group whose commands are rows of a table until one is called."""

    named: str = ""
    rows: Sequence[CommandRow] = ()

    def find(self, name: str) -> CommandRow | None:
        """The row of a command."""
        return next((row for row in self.rows if row.name == name), None)

    @override
    def list_commands(self, ctx: Context) -> list[str]:
        return [row.name for row in self.rows]

    @override
    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        row = self.find(cmd_name)
        if row is None:
            return None
        command = _group(row) if row.group else _command(row, self.named)
        command.params.extend(param for param in self.params if param.name != "version")
        return command

    @override
    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if not args:
            args = ["--help"]
        if self.find(args[0]) is None:
            return super().parse_args(ctx, args)
        # With a command in front there are no options to parse, and Typer would import Pydantic to find that out.
        params, self.params, self.add_help_option = self.params, [], False
        try:
            return super().parse_args(ctx, args)
        finally:
            self.params, self.add_help_option = params, True

    @override
    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        if not ctx.resilient_parsing and self.find(args[0]) is None:
            raise _unknown_command(args[0], self)
        return super().resolve_command(ctx, args)

    @override
    def format_usage(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_usage(self, ctx, formatter)

    @override
    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_help(self, ctx, formatter, commands=[(row.name, row.help) for row in self.rows])


class _Command(HelpCommand):
    """A command that has back what the command line itself does without: garbage collection, pydantic's plugins."""

    @override
    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:  # not every one knows the command that it is about
            raise _usage_error(error, ctx.command_path) from error

    @override
    def invoke(self, ctx: Context) -> object:
        gc.enable()
        if ctx.info_name != "serve":  # whose log may be JSON, and says it then
            current().introduce()
        with variable(PYDANTIC_PLUGINS, current().environment.get(PYDANTIC_PLUGINS)):
            return super().invoke(ctx)


def _unknown_command(name: str, table: _Table) -> UsageError:
    path = f"{table.named} {name}".strip()
    near = difflib.get_close_matches(name, [row.name for row in table.rows], n=1)
    return UsageError(
        f"There is no command {path!r}",
        why=f"Did you mean `{near[0]}`?" if near else "",
        fix=f"Run `{f'sentient {table.named}'.strip()} --help` for the list of commands",
    )


def _command(row: CommandRow, group: str) -> Command:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    settings = {"allow_interspersed_args": not row.hands_on}
    app.command(row.name, cls=_Command, context_settings=settings)(load_command(row, group))
    return typer.main.get_command(app)


def _group(row: CommandRow) -> Command:
    about = (load_command(row).__doc__ or "").strip()

    class Group(_Table):
        named: str = row.name
        rows: Sequence[CommandRow] = commands_of(row)

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(cls=Group, help=about, context_settings={"help_option_names": ["-h", "--help"]})(lambda: None)
    group = typer.main.get_command(app)
    group.name = row.name
    return group


def build() -> Command:
    """The command line as one command of Typer."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    about = "Build, serve and talk to AI agents that speak the Sentient Chat protocol."

    class Root(_Table):
        rows: Sequence[CommandRow] = COMMANDS

        @override
        def find(self, name: str) -> CommandRow | None:
            return find_command(name)

    app.callback(cls=Root, help=about, context_settings={"help_option_names": ["-h", "--help"]})(_root)
    return typer.main.get_command(app)


def run(program: str, arguments: Sequence[str], *, width: int) -> int:
    """Parse the arguments and execute what they ask for.

    Args:
        program: The name in help texts.
        arguments: The arguments after the name.
        width: Columns of the terminal, for help texts.

    Returns:
        The exit code.

    Raises:
        UsageError: the arguments are not understood.
        SentientError: what the command raised.
    """
    root = build()
    try:
        with (
            variable(PYDANTIC_PLUGINS, "1"),
            root.make_context(program, list(arguments), terminal_width=min(width, MAXIMUM_WIDTH)) as context,
        ):
            root.invoke(context)
    except typer.Exit as exit_:
        return exit_.exit_code
    except typer.Abort as abort:
        raise UserInterruptError("Interrupted") from abort
    except TyperException as error:
        raise _usage_error(error) from error
    return 0


def _usage_error(error: TyperException, path: str = "sentient") -> UsageError:
    context: object = getattr(error, "ctx", None)
    path = str(getattr(context, "command_path", path))
    options: object = getattr(error, "possibilities", None)
    named = cast("list[str]", options) if isinstance(options, list) else []
    near = ", ".join(f"`{name}`" for name in named if name not in _hidden(context))
    message = error.message if named else error.format_message()
    if getattr(error, "option_name", None) == "--token":
        near, fix = "", "A token is a secret, which a command line would show: set SENTIENT_SERVER_TOKEN"
    elif path.endswith((" keys set", " keys rotate")) and _names_a_secret(error):
        near, fix = "", f"A key is never an argument. If one stood there, revoke it, and run `{path} NAME`, which asks"
    elif path.endswith(" ask") and message.startswith(_EXTRA):
        fix = f'Put the question in quotes: `{path} "…"`'
    else:
        fix = f"Run `{path} --help`"
    return UsageError(_plain(message), why=f"Did you mean {near}?" if near else "", fix=fix)


def _names_a_secret(error: TyperException) -> bool:
    return any(part in str(getattr(error, "option_name", "")) for part in _LIKE_A_SECRET)


def _hidden(context: object) -> set[str]:
    """The options of a command that are not for its users."""
    params: list[object] = getattr(getattr(context, "command", None), "params", [])
    return {name for param in params if getattr(param, "hidden", False) for name in getattr(param, "opts", [])}


def _plain(message: str) -> str:
    """What Typer and Pydantic say, in the words of everybody else."""
    said = " ".join(message.replace("Value error, ", "").split()).rstrip(".")
    if said.startswith(_EXTRA):
        return f"Too many arguments: {said.partition('(s) ')[2].strip('()')}"
    head, found, rest = said.partition("Input should be ")
    if not found:
        return said
    expected = rest.partition(", unable to parse")[0]
    return f"{head}it must be {_KINDS.get(expected, expected)}"
