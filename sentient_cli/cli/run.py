"""``sentient run``: a file as it is, with agents of the public framework served by us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sentient_cli.cli.invocation import current
from sentient_cli.cli.options import (
    EnvFileOption,
    HostOption,
    InsecureOption,
    LogLevelOption,
    ModelOption,
    NoEnvFileOption,
    PortOption,
    ProfileOption,
    ScriptOption,
    StoreOption,
)

if TYPE_CHECKING:
    from sentient_cli.config import FlagValue


def run(  # noqa: PLR0917 - one parameter an option
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Python file.", show_default=False)],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGS", help="Arguments for the file: all that follows it.", show_default=False),
    ] = None,
    host: HostOption = None,
    port: PortOption = None,
    insecure: InsecureOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    script: ScriptOption = None,
    log_level: LogLevelOption = None,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
) -> None:
    """Execute an agent file as it is.

    A file that was written for sentient-agent-framework runs without an edit. Where that package is not installed, a
    DefaultServer in it serves with our server, on the address of --host and --port if they are given; where it is
    installed these two are refused. Options stand before the file; what stands after it is for the file.
    """
    flags: dict[str, FlagValue] = {
        "server.host": host,
        "server.port": port,
        "server.insecure": insecure,
        "store.url": store,
        "llm.model": model,
        "llm.script": script,
        "log.level": log_level,
    }
    given = arguments or []
    from sentient_cli.cli.streams import is_terminal
    from sentient_cli.compat import ServeOptions, run_script, serve_with
    from sentient_cli.config import export_environment

    here = current()
    loaded = here.load(flags, profile=profile, env_file=env_file, no_env_file=no_env_file)
    export_environment(loaded.environment)
    fixed = [name for name in ("host", "port") if loaded.sources[f"server.{name}"].layer == "flag"]
    options = ServeOptions(
        loaded.settings,
        fixed=frozenset(fixed),
        log_style="text" if is_terminal(here.console.stderr) else loaded.settings.log.format,
        on_ready=lambda name, url: here.console.say(f"Serving {name} on {url}"),
    )
    with serve_with(options):
        code = run_script(
            file,
            given[given[:1] == ["--"] :],
            project_dir=loaded.project_dir or here.project,
            for_our_server=[f"--{name}" for name in fixed],
        )
    if code:
        raise typer.Exit(code)
