"""Puts a hub together, and runs it until it is told to quit."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli import paths
from sentient_cli.config.places import find_project_file
from sentient_cli.dev.assignment import Assignment
from sentient_cli.dev.debugging import DebugRelay
from sentient_cli.dev.dependencies import Dependencies
from sentient_cli.dev.hub import Hub
from sentient_cli.dev.launch import make_launcher
from sentient_cli.dev.recording.recorder import Recorder
from sentient_cli.dev.recording.records import AllRecords
from sentient_cli.dev.report import Notice
from sentient_cli.dev.watching.later import LaterWatches
from sentient_cli.errors import AddressInUseError, ConfigError
from sentient_cli.runtime.loading.frames import summarize
from sentient_cli.server.adopting import AdoptingServer
from sentient_cli.server.descriptors import raise_descriptor_limit
from sentient_cli.server.inspection import inspection_routes, make_token_file
from sentient_cli.server.outside import create_outside_app
from sentient_cli.server.page.routes import page_routes
from sentient_cli.server.sockets import port_holder
from sentient_cli.server.tickets import ticket_route
from sentient_cli.store.file import FileEventLog

if TYPE_CHECKING:
    from sentient_cli.config import FlagValue
    from sentient_cli.dev.processes.order import FlagText
    from sentient_cli.dev.report import Reporter
    from sentient_cli.dev.request import Command, HubRequest
    from sentient_cli.dev.watching.watches import Watches

__all__ = ["recordings_directory", "run_hub"]

_LOOK_EVERY: Final = 1.0
_FIRST: Final = 1.0
"""Seconds after which saves are looked for although the first code is still being loaded."""
_FOLDER: Final = ".sentient"
_RUNS: Final = "runs"


async def run_hub(request: HubRequest, reporter: Reporter, commands: asyncio.Queue[Command]) -> int:
    """Serve a project until told to quit.

    Args:
        request: What.
        reporter: Is told what happens.
        commands: Tells it what to do.

    Returns:
        The exit code.

    Raises:
        ConfigError: this system has no Unix sockets, or there is no place for what is recorded.
    """
    if sys.platform == "win32":
        raise ConfigError(
            "`sentient dev` needs Unix sockets, which this system does not have",
            fix="Use it in WSL, or `sentient serve` here",
        )
    raise_descriptor_limit()
    watches = LaterWatches(request.home, lambda since: _watch(request, reporter, since)) if request.reload else None
    async with _hub(request, reporter, watches) as hub:
        tasks = [_begin(_follow_dependencies(hub), "Installed packages", reporter)]
        if watches is not None:
            tasks.append(_begin(_follow_files(hub, watches, request.home), "Files", reporter))
        try:
            await hub.start()
            while await commands.get() != "quit":
                hub.reload(())
        finally:
            for task in tasks:
                task.cancel()
            await hub.stop()
            await asyncio.wait(tasks)
    return 0


def _watch(request: HubRequest, reporter: Reporter, since: int) -> Watches:
    from sentient_cli.dev.watching.watches import Watches  # noqa: PLC0415 - no answer needs it

    def notify(what: str, fix: str) -> None:
        reporter.report(Notice(what, fix))

    always = [paths.user_config_file(), *(() if request.env_file is None else (request.env_file,))]
    return Watches(request.home, request.settings.dev, notify, always, since)


@asynccontextmanager
async def _hub(request: HubRequest, reporter: Reporter, watches: LaterWatches | None) -> AsyncGenerator[Hub]:
    server, dev = request.settings.server, request.settings.dev
    recordings = recordings_directory(request.home)
    url = _url(request)

    def notify(what: str, fix: str) -> None:
        reporter.report(Notice(what, fix))

    token = _token(request.token_file, notify)
    recorder = Recorder(
        FileEventLog(recordings, durable=False), notify, keep_runs=dev.keep_runs, keep_bytes=dev.keep_bytes
    )
    records = AllRecords(recorder, lambda: hub.state())  # noqa: PLW0108 - there is no hub yet
    leaving = asyncio.Event()
    routes = [
        *page_routes(),
        ticket_route(request.tickets, token),
        *inspection_routes(
            records, token, heartbeat=server.heartbeat, send_timeout=server.send_timeout, is_leaving=leaving.is_set
        ),
    ]

    def broken() -> Sequence[tuple[bytes, bytes]]:
        number = hub.generations.broken
        return () if number is None else ((b"sentient-reload-error", b"generation=%d" % number),)

    debugging = DebugRelay()
    outside = AdoptingServer(create_outside_app(routes, server, headers=broken, pages=["/"]), server)
    hub = Hub(
        _assignment(request, recordings, url, token),
        request.listener,
        make_launcher(dev.start, request.home, request.environment, _of_settings(request)),
        reporter=reporter,
        server=outside,
        records=records,
        watching=watches,
        debugging=debugging,
    )
    await outside.start()
    try:
        if request.debugger is not None:
            await _listen_for_debuggers(debugging, request.debugger)
        yield hub
    finally:
        leaving.set()
        await debugging.aclose()
        await records.aclose()
        await outside.aclose()


def _of_settings(request: HubRequest) -> Sequence[str]:
    """What workers need because of the settings, and what the first call to the default model would import."""
    read = ("tomllib",) if find_project_file(request.home) is not None else ()
    if request.settings.llm.model.partition(":")[0] == "offline":
        return read
    from sentient_cli.llm.providers.preloading import default_kind, modules_of  # noqa: PLC0415 - most need nothing

    return *read, *modules_of(default_kind(request.settings.llm))


def _token(path: Path, notify: Callable[[str, str], None]) -> str:
    try:
        return make_token_file(path)
    except OSError as error:
        notify(f"Other programs cannot look into runs: their token cannot be kept. {error.strerror}", "")
        return secrets.token_urlsafe(32)


async def _listen_for_debuggers(debugging: DebugRelay, address: tuple[str, int]) -> None:
    try:
        await debugging.start(address)
    except OSError as error:
        raise AddressInUseError(
            f"Port {address[1]}, for a debugger, cannot be listened on",
            why=port_holder(address[1]) or (error.strerror or ""),
            fix="Name another one: --debugpy-port",
        ) from error


def _assignment(request: HubRequest, recordings: Path, url: str, token: str) -> Assignment:
    return Assignment(
        url=url,
        inspect_url=f"{url}/#token={token}",
        agent=request.settings.agent,
        home=request.home,
        recordings=recordings,
        typed_in=request.typed_in,
        environment=request.environment,
        flags={name: _plain(value) for name, value in request.flags.items()},
        project=request.project,
        profile=request.profile,
        env_file=request.env_file,
        use_env_file=request.use_env_file,
        debugger=None if request.debugger is None else "{}:{}".format(*request.debugger),
        page_token=token,
        patience=request.settings.server.header_timeout,
        grow_bytes=request.settings.dev.grow_bytes,
        began=request.began,
    )


def _plain(value: FlagValue) -> FlagText:
    if isinstance(value, Path):
        return str(value)
    return tuple(value) if isinstance(value, list) else value


def _url(request: HubRequest) -> str:
    host: str = request.settings.server.host
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{request.listener.getsockname()[1]}"


def recordings_directory(home: Path) -> Path:
    """Where the runs of a project are recorded: in it, or where there is no settings file, among the user's own things.

    Args:
        home: The project's directory, or the one where the command was typed.
    """
    if find_project_file(home) is not None:
        folder = home / _FOLDER / _RUNS
        with contextlib.suppress(OSError):  # whoever cannot write here is told when the first run is recorded
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignored = folder / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n")
        return folder
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:32]
    return paths.state_dir() / "dev" / digest / _RUNS


def _begin(work: Coroutine[None, None, None], watched: str, reporter: Reporter) -> asyncio.Task[None]:
    """Watch something; it is told when that comes to an end by itself."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            reporter.report(Notice(f"{watched} are not watched any more: {summarize(error)}", "Start it again"))

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


async def _follow_files(hub: Hub, watches: LaterWatches, home: Path) -> None:
    async def first() -> None:
        with contextlib.suppress(TimeoutError):  # a save may be what ends an import that goes on for ever
            async with asyncio.timeout(_FIRST):
                await hub.settled()

    def tell(changed: frozenset[Path]) -> None:
        files = {path for path in changed if not _is_our_output(path)}
        if files:
            hub.reload(_names(files, home))

    await watches.follow(tell, first())


def _is_our_output(path: Path) -> bool:
    """Whether what this process writes goes to a file, as in ``sentient dev > out.txt``: it grows with each reload."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return any(os.path.samestat(found, os.fstat(number)) for number in (1, 2))
    return False


def _names(changed: Iterable[Path], home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) if path.is_relative_to(home) else str(path) for path in changed)


async def _follow_dependencies(hub: Hub) -> None:
    dependencies = Dependencies()
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        if dependencies.settled_anew():
            await hub.renew()
            hub.reload(("installed packages",))
