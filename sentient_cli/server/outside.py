"""What answers where no agent does: pages, inspection, and for all else that there is no agent just now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.server.answers import RequestError, send_json
from sentient_cli.server.gate import Gate, GateRules, is_loopback
from sentient_cli.server.routing import Route, Router

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
    return Gate(Router(routes, default=_no_agent), rules, lambda: True, headers)


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
