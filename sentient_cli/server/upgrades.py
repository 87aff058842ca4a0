"""Requests that offer another protocol, as clients that know HTTP/2 do: the offer is passed over, the request answered.

When the headers offer an upgrade, httptools ends the request with them, and takes its body for the other protocol's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["announces_body", "parse_body"]

_FRAMING = (b"content-length", b"transfer-encoding")


def announces_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request has a body, or may have one.

    Args:
        headers: Its headers, names in small letters.
    """
    return any(name in _FRAMING for name, _ in headers)


def parse_body(
    headers: Iterable[tuple[bytes, bytes]],
    on_body: Callable[[bytes], None],
    on_message_complete: Callable[[], None],
) -> httptools.HttpRequestParser:
    """A parser that is behind the headers of a request, and tells of its body alone.

    Args:
        headers: Of the request, names in small letters.
        on_body: Called with each piece of the body.
        on_message_complete: Called when the body has ended, once.
    """
    parser = httptools.HttpRequestParser(_Body(on_body, on_message_complete))
    framing = b"".join(b"%s: %s\r\n" % header for header in headers if header[0] in _FRAMING)
    parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
    return parser


class _Body:
    """What of a request the parser is to tell; a further one on the same connection is passed over."""

    def __init__(self, on_body: Callable[[bytes], None], on_message_complete: Callable[[], None]) -> None:
        self._take = on_body
        self._end = on_message_complete
        self._ended = False

    def on_body(self, body: bytes) -> None:
        if not self._ended:
            self._take(body)

    def on_message_complete(self) -> None:
        if not self._ended:
            self._ended = True
            self._end()
