"""What answers where no agent does: pages, inspection, and for all else that there is no agent just now."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router

from sentient_cli.server.answers import RequestError, send_json
from sentient_cli.server.gate import Gate, GateRules, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from sentient_cli.config.settings import ServerSettings

__all__ = ["create_outside_app"]

_LIVE = "/health/live"


def create_outside_app(
    routes: Sequence[Route],
    settings: ServerSettings,
    *,
    headers: Callable[[], Sequence[tuple[bytes, bytes]]] | None = None,
    pages: Collection[str] = (),
) -> ASGIApp:
    """An application without an agent.

    Args:
        routes: What it answers.
        settings: Who may come in. The token of the agent's callers is not asked for: routes have their own.
        headers: More for each answer, asked for each time.
        pages: Paths that a link on another site may lead to.
    """
    rules = GateRules(
        loopback=is_loopback(settings.host),
        allow_hosts=settings.allow_hosts,
        allow_origins=settings.allow_origins,
        token=None,
        pages=pages,
    )
    router = Router(routes, redirect_slashes=False, default=_no_agent)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("app", app)  # Starlette then raises, instead of answering in plain text
        try:
            await router(scope, receive, send)
        except HTTPException as error:
            status = HTTPStatus(error.status_code)
            given = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
            code = status.phrase.lower().replace(" ", "-")
            raise RequestError(error.status_code, code, status.phrase, headers=given) from None

    return Gate(app, rules, lambda: True, headers)


async def _no_agent(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI
    if scope["path"] == _LIVE:
        await send_json(send, 200, {"status": "alive"})
        return
    raise RequestError(
        503,
        "no-agent",
        "The agent is not loaded; whoever develops it sees why in the terminal",
        headers=[(b"retry-after", b"1")],
        close=True,
    )
