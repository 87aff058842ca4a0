"""What tests of connections need: what a client was told, read strictly."""

from __future__ import annotations

import os
import socket

import h11
import pytest

__all__ = ["HEAD", "decoded", "linux", "rest"]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

linux = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux tells how much a client was sent")


def rest(client: socket.socket) -> bytes:
    """Everything that comes until the end."""
    pieces: list[bytes] = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def decoded(told: bytes) -> bytes:
    """The body of an answer, which has to be whole."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(told)
    parser.receive_data(b"")
    assert isinstance(parser.next_event(), h11.Response)
    pieces: list[bytes] = []
    while isinstance(event := parser.next_event(), h11.Data):
        pieces.append(bytes(event.data))
    assert isinstance(event, h11.EndOfMessage)
    assert not parser.trailing_data[0]
    return b"".join(pieces)
