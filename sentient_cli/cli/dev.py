"""``sentient dev``: an agent that is loaded anew with each save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import (
    AgentArgument,
    AgentOption,
    AllowHostOption,
    AllowOriginOption,
    EnvFileOption,
    HostOption,
    InsecureOption,
    ModelOption,
    NoEnvFileOption,
    PortOption,
    ProfileOption,
    ScriptOption,
    named_agent,
)

if TYPE_CHECKING:
    from sentient_cli.config import FlagValue

DEBUGPY_PORT: Final = 5678
"""Where editors look for debugpy, as the editor files of the templates do."""


def dev(  # noqa: PLR0917 - one parameter an option
    target: AgentArgument = None,
    agent: AgentOption = None,
    host: HostOption = None,
    port: PortOption = None,
    strict_port: Annotated[
        bool, typer.Option("--strict-port", help="Fail when the port is taken.", show_default=False)
    ] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser once it answers.", show_default=False)
    ] = False,
    no_reload: Annotated[
        bool, typer.Option("--no-reload", help="Watch no files; the key r still reloads.", show_default=False)
    ] = False,
    debugpy: Annotated[
        bool, typer.Option("--debugpy", help="Let a debugger attach to the agent.", show_default=False)
    ] = False,
    debugpy_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="Where debugpy listens (5678); implies --debugpy."),
    ] = None,
    allow_origin: AllowOriginOption = None,
    allow_host: AllowHostOption = None,
    insecure: InsecureOption = None,
    model: ModelOption = None,
    script: ScriptOption = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(metavar="LEVEL", help="debug, info, warning or error (warning)."),
    ] = None,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Serve an agent while you write it: each save is live.

    Running answers finish on the code that they began with, and a save that does not load breaks nothing. The same
    address has a page to talk to the agent and watch its events. Works with and without a project file.
    """
    from sentient_cli.cli.dev_start import DevOptions, run_dev

    flags: dict[str, FlagValue] = {
        "agent": named_agent(target, agent),
        "server.host": host,
        "server.port": port,
        "server.allow_origins": allow_origin,
        "server.allow_hosts": allow_host,
        "server.insecure": insecure,
        "llm.model": model,
        "llm.script": script,
        "log.level": log_level,
    }
    options = DevOptions(
        flags,
        profile=profile,
        env_file=env_file,
        use_env_file=not no_env_file,
        strict_port=strict_port,
        open_page=open_,
        reload=not no_reload,
        debugger=("127.0.0.1", debugpy_port or DEBUGPY_PORT) if debugpy or debugpy_port else None,
    )
    code = run_dev(current(), options)
    if code:
        raise typer.Exit(code)
