"""Options that several commands share, declared once. The default of each is ``None`` or ``False``: not given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from sentient_cli.errors import SentientError, UsageError

__all__ = [
    "AgentArgument",
    "AgentOption",
    "AllowHostOption",
    "AllowOriginOption",
    "EnvFileOption",
    "HostOption",
    "InsecureOption",
    "LogFormatOption",
    "LogLevelOption",
    "ModelOption",
    "NoEnvFileOption",
    "PortOption",
    "ProfileOption",
    "ScriptOption",
    "StoreOption",
    "WorkersOption",
    "named_agent",
]


def _complete_profile(incomplete: str) -> list[str]:
    """The profiles of the settings files whose names begin so."""
    from contextlib import suppress

    from sentient_cli.cli.invocation import current
    from sentient_cli.config import load

    with suppress(SentientError):
        files = load(project=current().project, profile="default", use_env_file=False).files
        names = {name for file in files for name in file.profiles()}
        return sorted(name for name in names if name.startswith(incomplete))
    return []


AgentArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="AGENT", help="The agent: `module:attr`, a module or a file.", show_default=False),
]
AgentOption: TypeAlias = Annotated[
    str | None, typer.Option("--agent", metavar="AGENT", help="The agent: `module:attr`, a module or a file.")
]
HostOption: TypeAlias = Annotated[
    str | None, typer.Option("--host", metavar="ADDRESS", help="The address to listen on (127.0.0.1).")
]
PortOption: TypeAlias = Annotated[
    int | None, typer.Option("--port", metavar="PORT", min=0, max=65535, help="The port to listen on (8000); 0: any.")
]
WorkersOption: TypeAlias = Annotated[
    int | None, typer.Option("--workers", metavar="N", min=1, max=256, help="How many processes serve (1).")
]
InsecureOption: TypeAlias = Annotated[
    bool | None, typer.Option("--insecure", help="Allow a public address without a token.", show_default=False)
]
AllowOriginOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", metavar="ORIGIN", help="A web page's origin that may call; may be repeated."),
]
AllowHostOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--allow-host", metavar="HOST", help="A further Host header to accept; may be repeated."),
]
StoreOption: TypeAlias = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="`memory`, `sqlite:PATH` or `file:DIR` (memory).")
]
ModelOption: TypeAlias = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="The model an agent gets when it names none (offline).")
]
ScriptOption: TypeAlias = Annotated[
    Path | None, typer.Option("--script", metavar="FILE", help="A script for the offline model.")
]
LogLevelOption: TypeAlias = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error (info)."),
]
LogFormatOption: TypeAlias = Annotated[
    Literal["json", "text"] | None, typer.Option("--log-format", metavar="FORMAT", help="json or text (json).")
]
ProfileOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="The profile of settings to use.", autocompletion=_complete_profile),
]
EnvFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--env-file", metavar="FILE", help="Read variables from FILE instead of the project's .env."),
]
NoEnvFileOption: TypeAlias = Annotated[
    bool, typer.Option("--no-env-file", help="Read no .env file.", show_default=False)
]


def named_agent(argument: str | None, option: str | None) -> str | None:
    """The agent that the command line names, by AGENT or by --agent; None: it names none.

    Raises:
        UsageError: both name one.
    """
    if argument and option:
        raise UsageError("The agent is named twice, by AGENT and by --agent", fix="Leave one of them out")
    return argument or option
