"""`sentient completion`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sentient_cli.cli.invocation import PROGRAMS, current

Shell = Literal["bash", "zsh", "fish", "powershell"]


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")]) -> None:
    """Print the completion script of a shell, for `sentient` and `sentient-agent-cli`.

    Bash: add `eval "$(sentient completion bash)"` to ~/.bashrc. Zsh: the same in ~/.zshrc, after compinit. Fish: write
    the output to ~/.config/fish/completions/sentient.fish. PowerShell: add the output to $PROFILE.
    """
    from sentient_cli.cli.shells import completion_script

    current().console.script(completion_script(shell, PROGRAMS) + "\n")
