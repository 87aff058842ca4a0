"""The routes of the page. It holds no secret and needs no token; what it shows, it asks for like any other client."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from sentient_cli.server.answers import RequestError
from sentient_cli.server.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

__all__ = ["page_routes"]

_INDEX = "index.html"
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}
# Only what is served here runs, and not even that may make elements from text.
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = (
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", _POLICY),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)  # and `nosniff`, which the gate adds to every answer


def page_routes() -> list[Route]:
    """The page at ``/``, and its files below ``/_sentient/page/``.

    Example:
        >>> [route.path for route in page_routes()]
        ['/', '/_sentient/page/{name}']
    """
    return [
        Route("/", _Page(_INDEX)),
        Route("/_sentient/page/{name}", _Page()),
    ]


class _File(msgspec.Struct, frozen=True):
    kind: bytes
    content: bytes
    etag: bytes


@cache
def _files() -> Mapping[str, _File]:
    """Every file that there is to send, by its name; a request's path is only looked up here."""
    from importlib.resources import files  # noqa: PLC0415 - nothing else of a server needs it

    found: dict[str, _File] = {}
    for file in (files("sentient_cli.server.page") / "static").iterdir():
        kind = _TYPES.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            content = file.read_bytes()
            found[file.name] = _File(kind, content, b'"%b"' % hashlib.sha256(content).hexdigest()[:32].encode())
    return found


class _Page:
    """Sends one file, or the one that the path names."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        file = _files().get(self._name or scope["path_params"]["name"])
        if file is None:
            raise RequestError(404, "not-found", "The page has no such file")
        headers = [(b"etag", file.etag), *_HEADERS]
        if _is_known(scope, file.etag):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers += [(b"content-type", file.kind), (b"content-length", b"%d" % len(file.content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else file.content
        await send({"type": "http.response.body", "body": body})


def _is_known(scope: Scope, etag: bytes) -> bool:
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return given.strip() == b"*" or etag in {tag.strip().removeprefix(b"W/") for tag in given.split(b",")}
