"""What every request passes before it reaches an endpoint, and every answer on its way out.

The order: a request id, the Host, the Origin, the token, the route. A page in a browser can reach a server on localhost
and can give a name of its own to 127.0.0.1, so Host and Origin are looked at on every route.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from sentient_cli.server.answers import RequestError, send_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Gate", "GateRules", "is_loopback", "local_path"]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_NOT_IN_A_HEADER = re.compile(rb"[\0\r\n]")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN_PATHS = frozenset({"/health/live", "/health/ready", "/health/startup"})
_FETCH = (b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest")
_ONLY_ONCE = frozenset({b"host", b"origin", b"authorization", *_FETCH, b"content-type", b"last-event-id"})
_METHODS = b"GET, HEAD, POST, OPTIONS"
_CORS_HEADERS = b"Authorization, Content-Type, Last-Event-ID, X-Request-Id"
_EXPOSED = b"Sentient-Run-Id, Sentient-Session, Content-Location, X-Request-Id, Retry-After, Sentient-Reload-Error"

_access = logging.getLogger("sentient_cli.access")
_logger = logging.getLogger(__name__)


def is_loopback(address: str) -> bool:
    """Whether a server on this address can be reached from its own machine only.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, False)
    """
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False  # a name that somebody else may point anywhere


class GateRules(msgspec.Struct, frozen=True):
    """Who may come in.

    Args:
        loopback: Whether the server listens on this machine only; then only its names are accepted as Host.
        allow_hosts: Further names that are accepted as Host.
        allow_origins: Origins of web pages that may call, such as ``http://localhost:3000``.
        token: What ``Authorization: Bearer`` has to carry; None: nothing.
        also: Another token that does as well.
        pages: Paths without secrets that a link on a page of another site may lead to, in a window of their own.
    """

    loopback: bool = True
    allow_hosts: Collection[str] = ()
    allow_origins: Collection[str] = ()
    token: str | None = None
    also: str | None = None
    pages: Collection[str] = ()


class Gate:
    """Wraps the routes.

    Args:
        app: The routes.
        rules: Who may come in.
        is_leaving: Whether the server drains; then no connection is kept open after its answer.
        headers: More for each answer, asked for each time.
        refused: Is told of requests that may not come in: the code of the answer, and the address of the peer.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: GateRules,
        is_leaving: Callable[[], bool] = lambda: False,
        headers: Callable[[], Sequence[tuple[bytes, bytes]]] | None = None,
        refused: Callable[[str, str], None] | None = None,
    ) -> None:
        self._app = app
        self._refused = refused
        self._headers = headers
        self._is_leaving = is_leaving
        self._hosts = {host.lower() for host in rules.allow_hosts}
        if rules.loopback:
            self._hosts |= _LOOPBACK_NAMES
        self._check_hosts = bool(self._hosts)
        self._origins = {origin.rstrip("/").lower() for origin in rules.allow_origins}
        self._tokens = [token.encode() for token in (rules.token, rules.also) if token is not None]
        self._guarded = rules.token is not None
        self._pages = rules.pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic_ns()
        answer = _Answer(scope, send)
        if self._is_leaving():
            answer.close()
        if self._headers is not None:
            answer.add(self._headers())
        try:
            if self._admitted(scope, answer):
                await self._app(scope, receive, answer.send)
            else:
                await answer.preflight()
        except RequestError as error:
            await answer.fail(error)
        except Exception:
            reference = secrets.token_hex(6)
            _logger.exception("A request failed (reference %s)", reference, extra={"reference": reference})
            await answer.fail(RequestError(500, "internal", f"The server failed. Reference: {reference}"))
        except asyncio.CancelledError:
            if not answer.status:
                await answer.fail(RequestError(503, "overloaded", "The server is shutting down"))
            raise
        finally:
            _log_access(scope, answer, began)

    def _admitted(self, scope: Scope, answer: _Answer) -> bool:
        try:
            return self._admit(scope, answer)
        except RequestError as error:
            if self._refused is not None:
                peer = scope.get("client")
                self._refused(str(error), peer[0] if peer else "")
            raise

    def _admit(self, scope: Scope, answer: _Answer) -> bool:
        """Whether the application is to answer, and not what a browser asks beforehand."""
        headers = _single_headers(scope)  # and gone with this call: a stream may take long
        self._check_host(headers.get(b"host", ""))
        origin = self._check_origin(scope, headers)
        if origin is not None:
            answer.allow(origin)
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                return False
        if self._guarded and local_path(scope) not in _OPEN_PATHS:
            self._check_token(headers.get(b"authorization", ""))
        return True

    def _check_host(self, host: str) -> None:
        if self._check_hosts and _host_name(host) not in self._hosts:
            raise RequestError(
                403,
                "host-not-allowed",
                "This Host is not allowed here; the operator can add it with --allow-host",
                close=True,
            )

    def _check_origin(self, scope: Scope, headers: dict[bytes, str]) -> str | None:
        """Return the foreign origin that may call, if it is one."""
        origin = headers.get(b"origin")
        if origin is not None:
            if origin.lower() in self._origins or "*" in self._origins:
                return origin
            if origin.lower() == f"{scope['scheme']}://{headers.get(b'host', '')}".lower():
                return None
        elif headers.get(b"sec-fetch-site", "none") in {"none", "same-origin"} or self._follows_link(scope, headers):
            return None
        raise RequestError(
            403,
            "origin-not-allowed",
            "Pages of this origin may not call; the operator can add it with --allow-origin",
            close=True,
        )

    def _follows_link(self, scope: Scope, headers: dict[bytes, str]) -> bool:
        """Whether a browser opens a page by itself, so that no other page sees what the answer holds."""
        opens = (headers.get(b"sec-fetch-mode"), headers.get(b"sec-fetch-dest")) == ("navigate", "document")
        return opens and scope["method"] == "GET" and local_path(scope) in self._pages

    def _check_token(self, authorization: str) -> None:
        scheme, _, given = authorization.partition(" ")
        # The headers were decoded so; thus the bytes are those that came, whatever the token is made of.
        presented = given.strip(" \t").encode("latin-1")
        right = any(hmac.compare_digest(presented, token) for token in self._tokens)
        if scheme.lower() != "bearer" or not right:
            raise RequestError(
                401,
                "token-required",
                "A valid token is needed: Authorization: Bearer <token>",
                headers=[(b"www-authenticate", b'Bearer realm="sentient"')],
                close=True,
            )


def _single_headers(scope: Scope) -> dict[bytes, str]:
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in headers and name in _ONLY_ONCE:
            raise RequestError(400, "duplicate-header", f"There are two {name.decode()} headers", close=True)
        headers[name] = value.decode("latin-1")
    return headers


def local_path(scope: Scope) -> str:
    """The path within this application, which may be mounted below another one's."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _host_name(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


class _Answer:
    """The answer to one request: adds the common headers, and knows what was sent."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()
        scope["sentient.request_id"] = request_id.decode()
        self._send = send
        self._headers = [(b"x-request-id", request_id), (b"x-content-type-options", b"nosniff")]
        self.status = 0
        self.sent = 0

    def close(self) -> None:
        """Close the connection after the answer."""
        self._headers.append((b"connection", b"close"))

    def add(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Send these with the answer."""
        self._headers += headers

    def allow(self, origin: str) -> None:
        """Let a page of this origin read the answer."""
        self._headers += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"Origin"),
        ]

    async def preflight(self) -> None:
        """Answer a browser that asks whether it may."""
        headers = [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _CORS_HEADERS),
            (b"access-control-max-age", b"600"),
        ]
        await self.send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *self._headers]
            if any(_NOT_IN_A_HEADER.search(value) for _, value in headers):
                raise ValueError("A header has a line break in it")
            self.status = message["status"]
            message["headers"] = headers
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)

    async def fail(self, error: RequestError) -> None:
        """Answer with an error, unless an answer has begun: then it just ends."""
        if not self.status:
            await send_json(self.send, error.status, error.body, error.headers)


def _log_access(scope: Scope, answer: _Answer, began: int) -> None:
    if not _access.isEnabledFor(logging.INFO):
        return
    method, path, status = scope["method"], scope["path"], answer.status
    # Made by hand: where in the code this is would be looked up for each request, and is of no use.
    record = logging.LogRecord(_access.name, logging.INFO, __file__, 0, "%s %s %d", (method, path, status), None)
    vars(record).update(
        request_id=scope.get("sentient.request_id", ""),
        run_id=scope.get("sentient.run_id", ""),
        method=method,
        path=path,
        status=status,
        bytes=answer.sent,
        duration_ms=round((time.monotonic_ns() - began) / 1e6, 3),
    )
    _access.handle(record)
