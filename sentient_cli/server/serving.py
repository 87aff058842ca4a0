"""One process that serves: uvicorn with a drain that lets streams end.

The order on SIGTERM: readiness says no while connections are still taken, so that load balancers turn away; then no new
runs, and those that go on get their time; what is left is cancelled, each with a last event; then the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, cast

from sentient_cli.config.settings import ServerSettings
from sentient_cli.host import Host
from sentient_cli.server.hangup import obeying_hangups
from sentient_cli.server.http_server import Config, Server
from sentient_cli.server.laggards import Laggards
from sentient_cli.server.loop import run_to_end
from sentient_cli.server.protocol import make_protocol
from sentient_cli.server.watchdog import Watchdog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from types import FrameType

    from starlette.types import ASGIApp

    from sentient_cli.host.renewal import Renewal
    from sentient_cli.server.header_limits import HeaderLimits

__all__ = ["serve", "serve_until_stopped"]

_FLUSH_TIMEOUT = 5
_BLOCKED_TIMEOUT = 2.0
_SPARE_CONNECTIONS = 256
_logger = logging.getLogger(__name__)


class DrainingServer(Server):
    """uvicorn's server with signals of our own.

    Args:
        config: uvicorn's.
        host: Whose runs are drained.
        settings: How long each step takes.
        watchdog: Ends the process at a signal when code of the agent blocks the loop, which then obeys none.
        on_ready: Called once requests are answered and signals are obeyed.
    """

    def __init__(
        self,
        config: Config,
        host: Host,
        settings: ServerSettings,
        watchdog: Watchdog,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._watchdog = watchdog
        self._told = False
        self._on_ready = on_ready
        self._host = host
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._drain: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._laggards = Laggards(cast("set[HeaderLimits]", self.server_state.connections))
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        if self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port, and the connections once they are sent what is left for them."""
        self._laggards.refuse_half_sent()
        self._laggards.give_up()
        await super().shutdown(sockets)
        if self._watch is not None:
            self._watch.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        """Begin to drain; a second signal ends what runs at once."""
        again, self._told = self._told, True  # first of all: another signal may come in the middle of this
        at_once = sig == signal.SIGINT
        patience = 0.0 if again else self._delay(at_once) + self._settings.drain_timeout
        self._watchdog.end_within(patience + _BLOCKED_TIMEOUT)
        self._loop.call_soon_threadsafe(self.stop, at_once)

    def _delay(self, at_once: bool) -> float:
        return 0.0 if at_once else self._settings.drain_delay

    def stop(self, at_once: bool = False) -> None:
        """Begin to drain.

        Args:
            at_once: Whether no load balancer has to notice first.
        """
        if self._drain is None:
            self._drain = self._loop.create_task(self._leave(self._delay(at_once)))
        elif not self._hurry.is_set():
            self._hurry.set()
            _logger.info("Stopping at once")
            self._host.refuse_runs()
            for run in self._host.runs:
                run.cancel("The server is shutting down")

    async def _leave(self, delay: float) -> None:
        try:
            self._host.leaving = True
            _logger.info("Draining: %d runs are going on", self._host.runs.live)
            await self._pause(delay)
            self._host.refuse_runs()
            self._laggards.refuse_half_sent()
            self._watch = self._loop.create_task(self._laggards.watch())
            await self._host.drain(self._settings.drain_timeout)
        finally:
            self.should_exit = True

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()


async def serve_until_stopped(
    app: ASGIApp,
    host: Host,
    settings: ServerSettings,
    listeners: Sequence[socket.socket],
    *,
    on_ready: Callable[[], None] | None = None,
    on_server: Callable[[DrainingServer], None] | None = None,
    on_stopped: Callable[[], None] | None = None,
    renewal: Renewal | None = None,
) -> None:
    """Serve an application until a signal says to stop, then drain.

    Args:
        app: The application.
        host: Its host; started first and closed at the end.
        settings: Limits and times.
        listeners: Listening sockets; closed at the end.
        on_ready: Called once requests are answered.
        on_server: Is given the server, to stop it otherwise.
        on_stopped: Called when nothing listens any more; also when threads of the agent then keep the process from a
            clean end, which code behind this call would not see.
        renewal: Takes up other settings when they are saved and at SIGHUP, and other keys when they are rotated.

    Raises:
        ConfigError: the default model is one of no known provider.
        Exception: what the agent's ``setup`` raises.
    """
    config = Config(
        app,
        http=make_protocol(settings.header_timeout),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_FLUSH_TIMEOUT,
        proxy_headers=False,
        limit_concurrency=2 * settings.max_runs + _SPARE_CONNECTIONS,
    )
    watchdog = Watchdog()
    try:
        await host.start()
        if host.llm is not None:
            host.llm.check_default()  # not sooner: the agent's setup may bring a provider
            await host.llm.warm()
        watchdog.start()
        server = DrainingServer(config, host, settings, watchdog, on_ready)
        if on_server is not None:
            on_server(server)
        with _renewing(renewal, server):
            await server.serve(sockets=list(listeners))
    finally:
        watchdog.stop()
        try:
            await host.aclose()
            if renewal is not None:
                await renewal.aclose()
        finally:
            for listener in listeners:
                listener.close()
            if on_stopped is not None:
                on_stopped()


def _renewing(renewal: Renewal | None, server: DrainingServer) -> contextlib.AbstractContextManager[None]:
    if renewal is None:
        return contextlib.nullcontext()
    renewal.watch_keys()
    return obeying_hangups(renewal.begin, server.stop)


def serve(
    app: ASGIApp,
    host: Host,
    settings: ServerSettings,
    listeners: Sequence[socket.socket],
    *,
    on_ready: Callable[[], None] | None = None,
    on_server: Callable[[DrainingServer], None] | None = None,
    on_stopped: Callable[[], None] | None = None,
    renewal: Renewal | None = None,
) -> None:
    """Run `serve_until_stopped` on the fastest loop that there is."""
    run_to_end(
        serve_until_stopped(
            app,
            host,
            settings,
            listeners,
            on_ready=on_ready,
            on_server=on_server,
            on_stopped=on_stopped,
            renewal=renewal,
        )
    )
