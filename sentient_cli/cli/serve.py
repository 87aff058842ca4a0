"""``sentient serve``: an agent over HTTP, for production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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
    LogFormatOption,
    LogLevelOption,
    ModelOption,
    NoEnvFileOption,
    PortOption,
    ProfileOption,
    ScriptOption,
    StoreOption,
    WorkersOption,
    named_agent,
)

if TYPE_CHECKING:
    from sentient_cli.config import FlagValue, Loaded


def serve(  # noqa: PLR0917 - one parameter an option
    target: AgentArgument = None,
    agent: AgentOption = None,
    host: HostOption = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    insecure: InsecureOption = None,
    allow_origin: AllowOriginOption = None,
    allow_host: AllowHostOption = None,
    drain_delay: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="How long to accept after SIGTERM (2).")
    ] = None,
    drain_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="How long runs may go on (10).")
    ] = None,
    run_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="The deadline of a run (600); more than 0.")
    ] = None,
    on_disconnect: Annotated[
        Literal["cancel", "continue"] | None,
        typer.Option(metavar="POLICY", help="cancel or continue: a run whose client left (cancel)."),
    ] = None,
    disconnect_grace: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="How long a client may come back (2).")
    ] = None,
    store: StoreOption = None,
    model: ModelOption = None,
    script: ScriptOption = None,
    log_level: LogLevelOption = None,
    log_format: LogFormatOption = None,
    profile: ProfileOption = None,
    env_file: EnvFileOption = None,
    no_env_file: NoEnvFileOption = False,
    worker: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve an agent over HTTP, for production.

    It answers POST /assist with Sentient Chat events, and drains on SIGTERM: no stream is cut off.
    """
    from sentient_cli.cli.serving import run_server

    flags: dict[str, FlagValue] = {
        "agent": named_agent(target, agent),
        "server.host": host,
        "server.port": port,
        "server.workers": workers,
        "server.insecure": insecure,
        "server.allow_origins": allow_origin,
        "server.allow_hosts": allow_host,
        "server.drain_delay": drain_delay,
        "server.drain_timeout": drain_timeout,
        "server.run_timeout": run_timeout,
        "server.on_disconnect": on_disconnect,
        "server.disconnect_grace": disconnect_grace,
        "store.url": store,
        "llm.model": model,
        "llm.script": script,
        "log.level": log_level,
        "log.format": log_format,
    }
    here = current()

    def load() -> Loaded:
        return here.load(flags, profile=profile, env_file=env_file, no_env_file=no_env_file, tell=False, details=False)

    run_server(here, load, worker=worker)
