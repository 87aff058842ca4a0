"""Which endpoint a request is for: Starlette finds it, and is loaded when the first request asks that.

Nearly all requests are for ``/assist``, which needs no finding, and a server answers sooner that has not loaded it.
"""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from sentient_cli.server.answers import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    import starlette.routing
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Route", "Router"]


class Route(NamedTuple):
    """An endpoint and where it is.

    Args:
        path: Its path, with parts such as ``{run_id}`` that differ.
        app: Answers.
        method: The one that it has; with GET it has HEAD, too.
    """

    path: str
    app: ASGIApp
    method: str = "GET"


class Router:
    """Leads each request to its endpoint.

    Args:
        routes: The endpoints.
        lifespan: What is done before the first request and after the last one.
        default: Answers where there is none; else it is an error.

    Raises:
        RequestError: there is no such endpoint, or not with this method.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        lifespan: Callable[[object], AbstractAsyncContextManager[None]] | None = None,
        default: ASGIApp | None = None,
    ) -> None:
        self.routes: tuple[Route, ...] = tuple(routes)
        self._lifespan = lifespan
        self._default = default

    @cached_property
    def _router(self) -> starlette.routing.Router:
        from starlette.routing import Route as Found  # noqa: PLC0415 - the reason is above
        from starlette.routing import Router as Finder  # noqa: PLC0415

        routes = [Found(route.path, _Endpoint(route.app), methods=[route.method]) for route in self.routes]
        return Finder(routes, redirect_slashes=False, default=self._default, lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        from starlette.exceptions import HTTPException  # noqa: PLC0415 - the reason is above

        # Starlette raises, instead of answering in plain text, where an application is in the scope. When this one is
        # mounted, that of the other application is there, and stays.
        alone = scope.setdefault("app", self) is self
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            status = HTTPStatus(error.status_code)
            code = status.phrase.lower().replace(" ", "-")
            headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
            raise RequestError(error.status_code, code, status.phrase, headers=headers) from None
        finally:
            if alone:
                scope.pop("app", None)


class _Endpoint:
    """A raw ASGI application for a route: Starlette would wrap a plain function."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
