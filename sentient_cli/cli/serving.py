"""What `serve` does once the settings are known: one process, or a supervisor and its workers."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from sentient_cli.cli.details import program_told
from sentient_cli.errors import AddressNotAllowedError, ConfigError, SentientError, UserInterruptError

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from sentient_cli.cli.invocation import Invocation
    from sentient_cli.config import Loaded, Settings
    from sentient_cli.host import Host
    from sentient_cli.host.renewal import Renewal
    from sentient_cli.server.serving import DrainingServer
    from sentient_cli.server.workers import WorkerLink

__all__ = ["run_server"]

_logger = logging.getLogger(__name__)


def _show_more_or_less(settings: Settings) -> None:
    from sentient_cli.server.logs import set_level

    set_level(settings.log.level)


_LIVE: Final[Mapping[str, Callable[[Settings], None]]] = {"log.level": _show_more_or_less}
"""What can be changed while a server runs, beside models."""


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
    from sentient_cli.host.llm_doubts import doubts_of
    from sentient_cli.server.logs import configure_logging
    from sentient_cli.server.loop import ended_by_sigterm
    from sentient_cli.server.sockets import bind

    loaded = load()
    settings = loaded.settings
    doubt = _checked_exposure(loaded)
    if worker is not None or settings.server.workers == 1:  # else workers would take what `.env` says for the shell's
        export_environment(loaded.environment)
    people = loaded.sources["log.format"].layer == "default" and is_terminal(here.console.stderr)
    style = "text" if people else settings.log.format
    configure_logging(settings.log.level, style)
    here.console.detailed = style == "text" and worker is None
    with contextlib.suppress(ValueError, OSError, AttributeError):  # stderr may be closed, or be none
        faulthandler.enable(all_threads=False)  # what crashes in an extension module says where before it ends
    if worker is None:
        _tell_sources(here, loaded, as_json=style == "json")
        for each in (*((doubt,) if doubt else ()), *doubts_of(settings.llm)):
            _logger.warning("%s", each)
    if worker is not None:
        from sentient_cli.server.workers import WorkerLink

        _serve_as_worker(here, loaded, load, WorkerLink.decode(worker))
        return
    with bind(settings.server.host, settings.server.port) as listener:
        if settings.server.workers > 1:
            raise typer.Exit(_supervise(here, loaded, load, listener, as_json=style == "json"))
        with ended_by_sigterm():
            _serve_alone(here, loaded, load, listener, as_json=style == "json")


def _checked_exposure(loaded: Loaded) -> str:
    from sentient_cli.server.exposure import check_exposure

    try:
        return check_exposure(loaded.settings.server)
    except (AddressNotAllowedError, ConfigError) as error:
        from sentient_cli.host.security_log import refused_exposure

        refused_exposure(loaded, error.why or error.what)
        raise


@contextlib.contextmanager
def _on_record(loaded: Loaded, *, says_weaknesses: bool = True) -> Generator[Callable[[str, str], None]]:
    """What tells the audit log of requests that a server refuses, as long as it runs."""
    from sentient_cli.host.security_log import security_log, tell_weaknesses

    log = security_log(loaded)
    if says_weaknesses:
        tell_weaknesses(loaded, log)
    try:
        yield log.refused
    finally:
        log.close()


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
    from sentient_cli.server.app import create_app
    from sentient_cli.server.serving import serve

    settings = loaded.settings
    host = _host(here, loaded)
    renewal = _renewal(here, host, loaded, load)
    with _on_record(loaded) as refused:
        serve(
            create_app(host, settings.server, refused=refused),
            host,
            settings.server,
            [listener],
            on_ready=lambda: _announce(here, f"Serving {host.agent_name}", _url(settings, listener), as_json=as_json),
            on_server=lambda _server: renewal.watch_files(),
            renewal=renewal,
        )


def _serve_as_worker(here: Invocation, loaded: Loaded, load: Callable[[], Loaded], link: WorkerLink) -> None:
    import asyncio
    import socket

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
        with _on_record(loaded, says_weaknesses=link.index == 0) as refused:
            app = create_app(host, settings.server, peers=peers, refused=refused)
            listeners = [socket.socket(fileno=link.listener), peers.listen()]
            serve(
                app,
                host,
                settings.server,
                listeners,
                on_ready=link.ready,
                on_server=watch,
                on_stopped=tidy_up,
                renewal=_renewal(here, host, loaded, load),
            )
    except SentientError as error:
        if not link.claim_failure():
            raise typer.Exit(error.exit_code) from error
        raise


def _renewal(here: Invocation, host: Host, loaded: Loaded, load: Callable[[], Loaded]) -> Renewal:
    from sentient_cli.host.on_record import put_on_record
    from sentient_cli.host.renewal import Renewal

    recorded = partial(put_on_record, means="serve")
    return Renewal(host, loaded, load, start=here.project, others=_LIVE, recorded=recorded)


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
    here: Invocation, loaded: Loaded, load: Callable[[], Loaded], listener: socket.socket, *, as_json: bool
) -> int:
    import asyncio

    from sentient_cli.host.reading import Checking, Reading
    from sentient_cli.server.workers import Supervisor, socket_directory

    settings, server = loaded.settings, loaded.settings.server
    checking = Checking(Reading(loaded, load, here.project))

    with socket_directory() as directory:
        supervisor = Supervisor(
            _worker_command,
            listener,
            server.workers,
            directory,
            stop_within=server.drain_delay + server.drain_timeout,
            on_ready=lambda: _announce(
                here, f"Serving with {server.workers} workers", _url(settings, listener), as_json=as_json
            ),
            on_hangup=checking.is_sound,
            watching=checking.watch,
        )
        code = asyncio.run(supervisor.run())
    if supervisor.interrupted:
        raise UserInterruptError("Interrupted")
    return code


def _worker_command(link: WorkerLink) -> Sequence[str]:
    # A worker reads the same settings again from the same command line, so no secret travels in its arguments.
    return [sys.executable, "-P", "-m", "sentient_cli", *sys.argv[1:], "--worker", link.encode()]


def _url(settings: Settings, listener: socket.socket) -> str:
    host = settings.server.host
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
