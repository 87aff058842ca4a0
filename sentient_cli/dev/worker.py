"""One generation: a process that loads the user's code once, and answers with it until it is retired."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import logging
import os
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from sentient_cli.clock import SystemClock
from sentient_cli.compat import load_agent
from sentient_cli.config import load
from sentient_cli.config.environ import export_environment, replace_environment
from sentient_cli.dev.channel import Channel, send_now
from sentient_cli.dev.debugging import listen
from sentient_cli.dev.doors import Doors
from sentient_cli.dev.imports import Imports
from sentient_cli.dev.messages import (
    Cancel,
    Failed,
    Finished,
    Idle,
    Imported,
    Loaded,
    ReloadError,
    Retire,
    Stop,
    Watched,
    decode_to_worker,
    encode,
)
from sentient_cli.dev.problems import describe
from sentient_cli.dev.processes.descriptors import keep_from_copies
from sentient_cli.dev.processes.lifeline import die_with
from sentient_cli.dev.processes.preload import base_packages
from sentient_cli.dev.recording.stores import open_recordings
from sentient_cli.dev.summaries import Summaries
from sentient_cli.host.compose import build_host, host_limits
from sentient_cli.host.llm_doubts import doubts_of
from sentient_cli.host.on_record import put_on_record
from sentient_cli.host.renewal import Renewal
from sentient_cli.redact import redactor
from sentient_cli.runtime.loader import LoadedAgent
from sentient_cli.runtime.loading.fresh import import_from_source
from sentient_cli.server.adopting import AdoptingServer
from sentient_cli.server.app import create_app
from sentient_cli.server.logs import configure_logging
from sentient_cli.server.loop import run_to_end
from sentient_cli.server.peers import WorkerIds
from sentient_cli.server.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.config import Loaded as LoadedSettings
    from sentient_cli.config.settings import ServerSettings
    from sentient_cli.dev.messages import Begun, FromWorker
    from sentient_cli.dev.processes.order import Order
    from sentient_cli.host import Host
    from sentient_cli.store.open import Stores

__all__ = ["wait_for_adoption", "work"]

_LOOK_EVERY: Final = 0.02
_CANCEL_GRACE: Final = 0.3
"""Seconds that a cancelled run may take; whoever pressed Ctrl-C waits for it."""

_logger = logging.getLogger(__name__)


def wait_for_adoption(parent: int) -> None:
    """Return once this process has another parent.

    Args:
        parent: The one it has at first, which is ending.
    """
    while os.getppid() == parent:
        time.sleep(0.0002)


def work(order: Order, control: socket.socket, doors: socket.socket, output: int) -> int:
    """Load a generation and serve it, until it is told to leave or its hub is gone.

    Args:
        order: Which.
        control: Carries the messages.
        doors: Brings the connections to answer on.
        output: Takes what the code prints.

    Returns:
        The exit code.
    """
    _become_a_process_of_its_own(order, output)
    for end in (control, doors):
        end.set_inheritable(False)
    keep_from_copies(lambda: [end.fileno() for end in (control, doors) if end.fileno() != -1])
    process = os.getpid()
    imports = Imports(base_packages)
    try:
        loaded, agent = _load(order)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the user has to know
        if os.getpid() == process:
            _tell_failure(control, error, imports)
        return 1
    if os.getpid() != process:
        return 0  # a copy that the code made of itself while it was imported
    worker = _Worker(order, loaded, agent, imports, control, doors)
    run_to_end(worker.run())
    return worker.code


def _become_a_process_of_its_own(order: Order, output: int) -> None:
    os.setsid()  # a Ctrl-C reaches it through the hub alone
    die_with(order.hub)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    # Made anew: those of the process that this one was forked from know another kind of file.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
    sys.stdout = _line_stream(1)
    sys.stderr = _line_stream(2)
    faulthandler.enable(2, all_threads=False)  # the hub says where native code has crashed
    replace_environment(order.environment)


def _line_stream(descriptor: int) -> TextIO:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return _Masked(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)


class _Masked(io.TextIOWrapper):
    """Writes without the secrets that only this process has looked up: the hub does not know them."""

    def write(self, text: str, /) -> int:
        super().write(redactor.redact(text))
        return len(text)


def _settings_of(order: Order) -> LoadedSettings:
    return load(
        order.flags,
        project=Path(order.project) if order.project is not None else Path(order.home),
        profile=order.profile,
        env_file=Path(order.env_file) if order.env_file is not None else None,
        use_env_file=order.use_env_file,
        environment=order.environment,
    )


def _load(order: Order) -> tuple[LoadedSettings, LoadedAgent]:
    loaded = _settings_of(order)
    import_from_source()
    configure_logging(loaded.settings.log.level, "text")
    logging.getLogger("sentient_cli.access").setLevel(logging.WARNING)  # the hub tells of each run
    export_environment(loaded.environment)
    base = Path(order.typed_in) if order.typed_in is not None else None
    return loaded, load_agent(loaded.settings.agent, project_dir=Path(order.home), base=base)


def _tell_failure(control: socket.socket, error: BaseException, imports: Imports) -> None:
    files, _ = imports.fresh()
    with contextlib.suppress(OSError):
        send_now(control, encode(Failed(describe(error), files)))


class _Worker:
    """Serves a generation.

    Args:
        order: Which.
        loaded: Its settings.
        agent: Answers.
        imports: What it has imported.
        control: Carries the messages.
        doors: Brings the connections.
    """

    def __init__(
        self,
        order: Order,
        loaded: LoadedSettings,
        agent: LoadedAgent,
        imports: Imports,
        control: socket.socket,
        doors: socket.socket,
    ) -> None:
        self.code = 0
        self._order = order
        self._loaded = loaded
        self._agent = agent
        self._imports = imports
        self._control = control
        self._connections = doors
        self._broken: int | None = None
        self._modules = 0
        self._leaving: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until told to leave."""
        self._channel = await Channel.over(self._control)
        watchdog = Watchdog()
        settings = self._settings()
        try:
            stores, doubts = await open_recordings(Path(self._order.recordings), self._channel)
            self._host = self._make_host(stores)
            await self._host.start()
            if (models := self._host.models.made) is not None:
                models.check_default()
            app = create_app(self._host, settings, headers=self._headers, close=True, also_token=self._order.page_token)
            self._server = AdoptingServer(app, settings)
            await self._server.start()
            recorded = partial(put_on_record, means="dev")
            self._renewal = Renewal(self._host, self._loaded, lambda: _settings_of(self._order), recorded=recorded)
            self._renewal.watch_keys()
            self._renewal.record_later()
            keep_from_copies(self._server.descriptors)
        except Exception as error:  # noqa: BLE001 - the user's setup can raise anything
            await self._fail(error)
            return
        facts = self._facts(doubts)
        watchdog.start()  # what comes before takes as long as it takes
        self._doors = Doors(self._connections, self._server)
        self._doors.open()
        self._say(facts)
        try:
            await self._obey()
        finally:
            self._doors.rest()
            watchdog.stop()
            await self._end()

    def _settings(self) -> ServerSettings:
        settings = self._loaded.settings.server
        if self._loaded.sources["server.session_memory"].layer == "default":
            return settings.model_copy(update={"session_memory": True})
        return settings

    def _make_host(self, stores: Stores) -> Host:
        settings = self._loaded.settings.model_copy(update={"server": self._settings()})
        generation = self._order.generation
        clock = SystemClock()
        return build_host(
            self._agent.agent,
            settings,
            hooks=[Summaries(self._say_of_a_run)],
            clock=clock,
            ids=WorkerIds(clock, generation),
            stores=stores,
            facts={"generation": generation},
            limits=host_limits(settings, show_errors=True, cancel_grace=_CANCEL_GRACE),
            project=self._loaded.project_dir or Path(self._order.home),
        )

    def _headers(self) -> Sequence[tuple[bytes, bytes]]:
        return () if self._broken is None else ((b"sentient-reload-error", b"generation=%d" % self._broken),)

    def _say(self, message: FromWorker) -> None:
        self._channel.send(encode(message))

    def _say_of_a_run(self, message: Begun | Finished) -> None:
        if not isinstance(message, Finished):
            self._channel.send_at_once(encode(message))  # the agent's first line may be the last of this process
            return
        self._say(message)
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            files, installed = self._imports.fresh()
            if files or installed:
                self._say(Imported(files, installed))

    def _facts(self, doubts: tuple[str, ...]) -> Loaded:
        files, installed = self._imports.fresh()
        loaded = self._loaded
        port, warnings = None, (*loaded.warnings, *doubts, *doubts_of(loaded.settings.llm))
        if self._order.debug:
            try:
                port = listen()
            except (ImportError, RuntimeError, OSError) as error:
                warnings = (*warnings, f"No debugger can attach: {error}")
        return Loaded(
            self._agent.name,
            files,
            installed,
            None if loaded.env_file is None else str(loaded.env_file),
            loaded.settings.profile,
            warnings,
            port,
            f"{loaded.settings.server.host}:{loaded.settings.server.port}",
            Watched.of(loaded.settings.dev),
        )

    async def _fail(self, error: Exception) -> None:
        files, _ = self._imports.fresh()
        self._say(Failed(describe(error), files))
        self.code = 1
        with contextlib.suppress(ConnectionError):
            await self._channel.flush()
        self._channel.close()

    # -- what the hub says -------------------------------------------------------------------------------------------

    async def _obey(self) -> None:
        """Do what the hub says until it says to leave, or is gone."""
        while frame := await self._channel.receive():
            message = decode_to_worker(frame.payload)
            if isinstance(message, ReloadError):
                self._broken = message.generation
            elif isinstance(message, Cancel):
                self._cancel(message.reason)
            elif isinstance(message, Retire):
                self._leaving = asyncio.create_task(self._tell_when_idle())
            else:
                if isinstance(message, Stop):
                    self._cancel("The server is shutting down")
                return
        self._cancel("The server is gone")

    def _cancel(self, reason: str) -> None:
        for run in self._host.runs:
            run.cancel(reason)

    async def _tell_when_idle(self) -> None:
        """Say so once nothing is left to do; the hub may send connections until it has read that."""
        await self._until_idle()
        self._say(Idle())

    async def _until_idle(self) -> None:
        while self._server.busy or self._host.runs.live or self._doors.crowded:  # noqa: ASYNC110 - they tell nobody
            await asyncio.sleep(_LOOK_EVERY)

    async def _end(self) -> None:
        """Answer what is there, and give everything back."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._doors.take()
        await self._until_idle()
        await self._server.aclose()
        await self._host.aclose()
        await self._renewal.aclose()
        with contextlib.suppress(ConnectionError):
            await self._channel.flush()
        self._channel.close()
        self._doors.close()
