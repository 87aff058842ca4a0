"""What `serve` does once the settings are known: one process, or a supervisor and its workers."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sentient_cli.cli.details import program_told
from sentient_cli.errors import SentientError

if TYPE_CHECKING:
    import socket

    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config import Loaded, Settings
    from sentient_cli.host import Host
    from sentient_cli.server.serving import DrainingServer
    from sentient_cli.server.workers import WorkerLink

__all__ = ["run_server"]

_logger = logging.getLogger(__name__)


def run_server(here: Invocation, load: Callable[[], Loaded], *, worker: str | None = None) -> None:
    """Serve the agent that the settings name, until a signal says to stop.

    Args:
        here: The invocation, whose console is told what goes on.
        load: Reads the settings; those of models again at SIGHUP.
        worker: Given by a supervisor to each of its workers.

    Raises:
        AgentLoadError: the agent cannot be loaded.
        ConfigError: a setting leads nowhere.
        NetworkError: the address cannot be listened on.
    """
    from sentient_cli.cli.streams import is_terminal
    from sentient_cli.config import export_environment
    from sentient_cli.server.exposure import check_exposure
    from sentient_cli.server.logs import configure_logging
    from sentient_cli.server.sockets import bind

    loaded = load()
    settings = loaded.settings
    doubt = check_exposure(settings.server)
    if worker is not None or settings.server.workers == 1:  # else workers would take what `.env` says for the shell's
        export_environment(loaded.environment)
    people = loaded.sources["log.format"].layer == "default" and is_terminal(here.console.stderr)
    style = "text" if people else settings.log.format
    configure_logging(settings.log.level, style)
    here.console.detailed = style == "text" and worker is None
    if worker is None:
        _tell_sources(here, loaded, as_json=style == "json")
        if doubt:
            _logger.warning("%s", doubt)
    if worker is not None:
        from sentient_cli.server.workers import WorkerLink

        _serve_as_worker(here, loaded, load, WorkerLink.decode(worker))
        return
    with bind(settings.server.host, settings.server.port) as listener:
        if settings.server.workers > 1:
            raise typer.Exit(_supervise(here, settings, load, listener, as_json=style == "json"))
        _serve_alone(here, loaded, load, listener, as_json=style == "json")


def _tell_sources(here: Invocation, loaded: Loaded, *, as_json: bool) -> None:
    details = list(here.details_of(loaded, env_file=loaded.env_file is None))
    if not as_json:
        here.introduce()
        here.tell_sources(loaded)
        for line in details:
            here.console.detail(line)
        return
    for line in [program_told(), *details] if details else ():
        _logger.info("%s", line)
    if loaded.env_file is not None:
        _logger.info("Environment read from %s", loaded.env_file)
    for warning in loaded.warnings:
        _logger.warning("%s", warning)


def _announce(here: Invocation, message: str, url: str, *, as_json: bool) -> None:
    """Say where the server listens, in the form that the log has."""
    from sentient_cli.server.logs import announce

    if not as_json:
        here.console.say(f"{message} on {url}")
    elif not here.console.quiet:
        announce(f"{message} on {url}", url=url)


def _serve_alone(
    here: Invocation, loaded: Loaded, load: Callable[[], Loaded], listener: socket.socket, *, as_json: bool
) -> None:
    from sentient_cli.host.renewal import Renewal
    from sentient_cli.server.app import create_app
    from sentient_cli.server.serving import serve

    settings = loaded.settings
    host = _host(here, loaded)
    serve(
        create_app(host, settings.server),
        host,
        settings.server,
        [listener],
        on_ready=lambda: _announce(here, f"Serving {host.agent_name}", _url(settings, listener), as_json=as_json),
        renewal=Renewal(host, loaded, load),
    )


def _serve_as_worker(here: Invocation, loaded: Loaded, load: Callable[[], Loaded], link: WorkerLink) -> None:
    import asyncio
    import socket

    from sentient_cli.host.renewal import Renewal
    from sentient_cli.server.app import create_app
    from sentient_cli.server.peers import Peers
    from sentient_cli.server.serving import serve

    settings = loaded.settings
    peers = Peers(link.index, link.directory)
    orphaned = asyncio.Event()

    def watch(server: DrainingServer) -> None:
        def leave() -> None:
            orphaned.set()
            server.stop()

        link.watch(asyncio.get_running_loop(), leave)

    def tidy_up() -> None:
        if orphaned.is_set():
            link.tidy_up()

    try:
        host = _host(here, loaded, index=link.index)
        app = create_app(host, settings.server, peers=peers)
        listeners = [socket.socket(fileno=link.listener), peers.listen()]
        serve(
            app,
            host,
            settings.server,
            listeners,
            on_ready=link.ready,
            on_server=watch,
            on_stopped=tidy_up,
            renewal=Renewal(host, loaded, load),
        )
    except SentientError as error:
        if not link.claim_failure():
            raise typer.Exit(error.exit_code) from error
        raise


def _host(here: Invocation, loaded: Loaded, index: int | None = None) -> Host:
    from sentient_cli.clock import SystemClock
    from sentient_cli.compat import load_agent
    from sentient_cli.host.compose import build_host
    from sentient_cli.server.peers import WorkerIds

    project = loaded.project_dir or here.project or Path.cwd()
    typed = loaded.sources["agent"].layer == "flag"
    found = load_agent(loaded.settings.agent, project_dir=project, base=Path.cwd() if typed else None)
    ids = WorkerIds(SystemClock(), index) if index is not None else None
    return build_host(found.agent, loaded.settings, ids=ids, project=project)


def _supervise(
    here: Invocation, settings: Settings, load: Callable[[], Loaded], listener: socket.socket, *, as_json: bool
) -> int:
    import asyncio
    import tempfile

    from sentient_cli.server.workers import Supervisor

    server = settings.server

    def is_sound() -> bool:
        from sentient_cli.host import renewal

        return renewal.is_sound(load)

    with tempfile.TemporaryDirectory(prefix="sentient-") as directory:
        supervisor = Supervisor(
            _worker_command,
            listener,
            server.workers,
            Path(directory),
            stop_within=server.drain_delay + server.drain_timeout,
            on_ready=lambda: _announce(
                here, f"Serving with {server.workers} workers", _url(settings, listener), as_json=as_json
            ),
            on_hangup=is_sound,
        )
        return asyncio.run(supervisor.run())


def _worker_command(link: WorkerLink) -> Sequence[str]:
    # A worker reads the same settings again from the same command line, so no secret travels in its arguments.
    return [sys.executable, "-m", "sentient_cli", *sys.argv[1:], "--worker", link.encode()]


def _url(settings: Settings, listener: socket.socket) -> str:
    host = settings.server.host
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
