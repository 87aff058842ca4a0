"""Help texts without Rich, which costs more to import than the whole text to write; readable at 20 columns too."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from typer.core import TyperCommand
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer._click import Command, Context, HelpFormatter

__all__ = ["HelpCommand", "write_help", "write_usage"]

GLOBAL_OPTIONS = frozenset({"json", "quiet", "verbose", "no_color", "project", "version", "help"})
NARROW = 60


class HelpCommand(TyperCommand):
    """A command that tells its own options from those that every command has."""

    @override
    def format_usage(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_usage(self, ctx, formatter)

    @override
    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_help(self, ctx, formatter)


def write_usage(command: Command, ctx: Context, formatter: HelpFormatter) -> None:
    """Write the first line of a help text."""
    usage = f"Usage: {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}"
    formatter.write("\n".join(textwrap.wrap(usage, formatter.width, subsequent_indent="  ")) + "\n")


def write_help(
    command: Command, ctx: Context, formatter: HelpFormatter, *, commands: Sequence[tuple[str, str]] = ()
) -> None:
    """Write everything of a help text that comes after its description."""
    sections: dict[str, list[tuple[str, str]]] = {
        "Commands": list(commands),
        "Arguments": [],
        "Options": [],
        "Global": [],
    }
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is None:
            continue
        if param.param_type_name == "argument":
            sections["Arguments"].append(record)
        else:
            sections["Global" if param.name in GLOBAL_OPTIONS else "Options"].append(record)
    for name, rows in sections.items():
        if rows:
            with formatter.section("Global options" if name == "Global" else name):
                _write_rows(formatter, rows)


def _write_rows(formatter: HelpFormatter, rows: Sequence[tuple[str, str]]) -> None:
    if formatter.width >= NARROW:
        formatter.write_dl(rows)
        return
    indent = " " * formatter.current_indent
    for first, second in rows:
        for text, prefix in ((first, indent), (second, indent * 2)):
            lines = textwrap.wrap(text, formatter.width, initial_indent=prefix, subsequent_indent=indent * 2)
            formatter.write("".join(f"{line}\n" for line in lines))
