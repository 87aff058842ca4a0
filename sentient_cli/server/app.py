"""The ASGI application: routes within the gate."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from sentient_cli.config.settings import ServerSettings
from sentient_cli.host import Host
from sentient_cli.server.answers import send_json
from sentient_cli.server.body import prepare
from sentient_cli.server.endpoints import Endpoints
from sentient_cli.server.gate import Gate, GateRules, is_loopback, local_path
from sentient_cli.server.health import Health
from sentient_cli.server.metrics import METRICS_PATH, Metrics
from sentient_cli.server.openapi import openapi_document
from sentient_cli.server.peers import Peers
from sentient_cli.server.routing import Route, Router

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["create_app"]


def create_app(
    host: Host,
    settings: ServerSettings | None = None,
    *,
    more_routes: Sequence[Route] = (),
    peers: Peers | None = None,
    headers: Callable[[], Sequence[tuple[bytes, bytes]]] | None = None,
    close: bool = False,
    also_token: str | None = None,
    refused: Callable[[str, str], None] | None = None,
) -> ASGIApp:
    """An ASGI application that serves a host's agent.

    It can be mounted in another application: the host then starts with the first request.

    Args:
        host: Runs the agent.
        settings: Limits, times, and who may come in.
        more_routes: Further routes, behind the same gate.
        peers: The other workers on the same port.
        headers: More for each answer, asked for each time.
        close: Whether no connection is kept open after its answer.
        also_token: A token that does as well as that of the settings, where those have one.
        refused: Is told of requests that may not come in: the code of the answer, and the address of the peer.
    """
    settings = settings or ServerSettings()
    prepare()
    endpoints = Endpoints(host, settings)
    health = Health(host)
    token = settings.token.reveal() if settings.token is not None else None

    @cache
    def document() -> dict[str, object]:  # made when somebody asks: it takes longer than all the rest
        return openapi_document(secured=token is not None)

    async def openapi(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
        await send_json(send, 200, document())

    routes = [
        Route("/assist", endpoints.assist, "POST"),
        Route("/runs/{run_id}", endpoints.show),
        Route("/runs/{run_id}/events", endpoints.events),
        Route("/runs/{run_id}/cancel", endpoints.cancel, "POST"),
        Route("/health", health.details),
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
        Route("/health/startup", health.startup),
        Route("/openapi.json", openapi),
        *more_routes,
    ]
    if host.observing is not None and (text := host.observing.metrics_text) is not None:
        is_open = token is not None or is_loopback(settings.host)
        routes.append(Route(METRICS_PATH, Metrics(text, peers, is_open=is_open)))
    rules = GateRules(
        loopback=is_loopback(settings.host),
        allow_hosts=settings.allow_hosts,
        allow_origins=settings.allow_origins,
        token=token,
        also=also_token,
    )
    app = _assist_first(Router(routes, lifespan=_lifespan(host)), endpoints.assist)
    routed = peers.wrap(app, settings.send_timeout) if peers is not None else app
    return Gate(routed, rules, lambda: close or host.leaving, headers, refused)


def _assist_first(router: Router, assist: ASGIApp) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and local_path(scope) == "/assist":
            await assist(scope, receive, send)  # straight to where nearly all requests go
        else:
            await router(scope, receive, send)

    return app


def _lifespan(host: Host) -> Callable[[object], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncGenerator[None]:
        await host.start()
        try:
            yield
        finally:
            await host.aclose()

    return lifespan
