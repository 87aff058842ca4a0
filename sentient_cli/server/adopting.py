"""A server without a port: it answers on connections that somebody else has accepted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, cast

from sentient_cli.server.http_server import Config, Server
from sentient_cli.server.laggards import Laggards
from sentient_cli.server.protocol import make_protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator

    from starlette.types import ASGIApp

    from sentient_cli.config.settings import ServerSettings
    from sentient_cli.server.header_limits import HeaderLimits
    from sentient_cli.server.ledger import Page

    class HttpProtocol(HeaderLimits, asyncio.Protocol):
        """One of ours."""


__all__ = ["AdoptingServer"]

_FLUSH_TIMEOUT = 1
_TICKS = 10
"""Of uvicorn in a second: ours come only when something is due."""

_logger = logging.getLogger(__name__)


class AdoptingServer(Server):
    """Answers HTTP on connections that are handed to it.

    Args:
        app: Answers.
        settings: Limits and times.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        super().__init__(
            Config(
                app,
                http=make_protocol(settings.header_timeout),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_FLUSH_TIMEOUT,
                proxy_headers=False,
            )
        )
        self._adopting: dict[asyncio.Task[None], socket.socket] = {}
        self._protocols = cast("set[HeaderLimits]", self.server_state.connections)
        self._laggards = Laggards(self._protocols)
        self._serving: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._leaving = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._ready.set()

    async def main_loop(self) -> None:
        """Keep the time that answers tell, once a second, until it is to leave."""
        second = 0
        while not await self.on_tick(second * _TICKS):
            second += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._leaving.wait()

    async def start(self) -> None:
        """Begin to answer."""
        self._serving = asyncio.create_task(self.serve(sockets=[]))
        await self._ready.wait()

    def adopt(self, connection: socket.socket, page: Page | None = None) -> None:
        """Answer on a connection, which belongs to this server from now on.

        Args:
            connection: Of a client.
            page: Where it is noted how far the answer is.
        """
        connection.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._adopt(connection, page))
        self._adopting[task] = connection
        task.add_done_callback(self._adopting.pop)

    async def _adopt(self, connection: socket.socket, page: Page | None) -> None:
        loop = asyncio.get_running_loop()
        config, state, lifespan = self.config, self.server_state, self.lifespan
        make = cast("Callable[..., HttpProtocol]", config.http_protocol_class)

        def begin() -> asyncio.Protocol:
            protocol = make(config=config, server_state=state, app_state=lifespan.state, _loop=loop)
            if page is not None:
                protocol.page = page
            return protocol

        try:
            await loop.connect_accepted_socket(begin, connection)
        except OSError as error:  # the client left meanwhile
            _logger.debug("A connection was gone before it was taken: %s", error)
            if page is not None:
                page.close()
            connection.close()

    @property
    def busy(self) -> bool:
        """Whether a connection is open, or about to be."""
        return bool(self.server_state.connections or self._adopting)

    def descriptors(self) -> list[int]:
        """Those of the connections that are open, or about to be."""
        connections = list(self._adopting.values())
        connections += [protocol.transport.get_extra_info("socket") for protocol in self._protocols]
        return [connection.fileno() for connection in connections if connection.fileno() != -1]

    async def aclose(self) -> None:
        """Close what is open, once it is sent what is left for it. May be called twice."""
        if self._serving is None:
            return
        self._laggards.refuse_half_sent()
        self._laggards.give_up()
        watching = asyncio.create_task(self._laggards.watch())
        try:
            if self._adopting:
                await asyncio.wait(self._adopting, timeout=_FLUSH_TIMEOUT)
            self.should_exit = True
            self._leaving.set()
            await asyncio.wait((self._serving,))
        finally:
            watching.cancel()
            self._serving = None
