"""Completion in four shells, by Typer's protocol: the shell calls the program with a variable that names the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["complete", "completion_script", "completion_variable"]


def completion_variable(program: str) -> str:
    """The variable by which a shell asks for completions.

    Example:
        >>> completion_variable("sentient")
        '_SENTIENT_COMPLETE'
    """
    return f"_{program}_COMPLETE".replace("-", "_").upper()


def completion_script(shell: str, programs: Sequence[str]) -> str:
    """The script that teaches ``shell`` to complete each of these programs."""
    from typer._completion_shared import get_completion_script

    scripts = [
        get_completion_script(prog_name=program, complete_var=completion_variable(program), shell=shell)
        for program in programs
    ]
    first = f"#compdef {programs[0]}\n"
    # As a file of zsh's own the script says in its first line, and nowhere else, what it completes.
    return "\n\n".join(scripts).replace(first, f"#compdef {' '.join(programs)}\n", 1)


def complete(program: str, environment: Mapping[str, str]) -> int | None:
    """Answer a shell that asks for completions.

    Returns:
        An exit code, or None when no shell asks.
    """
    instruction = environment.get(completion_variable(program))
    if not instruction:
        return None
    from typer._completion_classes import completion_init
    from typer.completion import shell_complete

    from sentient_cli.cli.app import build

    completion_init()
    return shell_complete(build(), {}, program, completion_variable(program), instruction)
