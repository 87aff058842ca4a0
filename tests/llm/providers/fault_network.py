"""What can happen on the way: no connection, no trust, no head, and an answer that breaks."""

from __future__ import annotations

import socket
import ssl
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from tests.llm.providers.fault_row import PLACES, Fault, Run, before, cut_at, runs
from tests.llm.providers.faulty import (
    IMPATIENCE,
    PATIENCE,
    Outcome,
    answered,
    ask,
    greeting_server,
    opened,
    speaks_http2,
)
from tests.llm.providers.pool_kit import make_certificate, offering
from tests.llm.providers.wires import Wire
from tests.support.http2_server import Told, serving
from tests.support.llm_server import Answer, How, LLMServer

__all__ = ["network_faults"]


def network_faults() -> Iterator[Fault]:
    """All of them."""
    for name, run in _CONNECTIONS.items():
        yield Fault("Connection", name, "", run)
    yield Fault("Connection", "headers that do not come", "", runs(_late, IMPATIENCE))
    yield Fault("Connection", "headers that come a byte at a time", "", _slow_head)
    for place in PLACES:
        yield Fault("Connection", "it stalls within the headers", place, _head(place, "stall"))
    for place in PLACES:
        yield Fault("Connection", "it is closed within the headers", place, _head(place, "close"))
    yield from _breaks()


async def _refused(wire: Wire) -> Outcome:
    async with greeting_server(b"") as url:
        pass
    async with opened(wire, url) as provider:
        return await ask(provider, wire)


async def _unknown(wire: Wire) -> Outcome:
    missing = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with mock.patch.object(socket, "getaddrinfo", side_effect=missing):
        async with opened(wire, "https://nowhere.invalid") as provider:
            return await ask(provider, wire)


async def _plain(wire: Wire) -> Outcome:
    async with (
        greeting_server(b"HTTP/1.1 400 Bad\r\n\r\n") as url,
        opened(wire, url.replace("http", "https")) as provider,
    ):
        return await ask(provider, wire)


@contextmanager
def _encrypting() -> Generator[tuple[str, ssl.SSLContext]]:
    """A certificate for `localhost` that is signed by itself, and what encrypts with it."""
    with TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        yield str(certificate), offering(certificate)


async def _untrusted(wire: Wire) -> Outcome:
    with _encrypting() as (_, context):
        async with greeting_server(b"", context=context) as url, opened(wire, url) as provider:
            return await ask(provider, wire)


async def _another_name(wire: Wire) -> Outcome:
    with _encrypting() as (certificate, context):
        async with (
            greeting_server(b"", context=context) as url,
            opened(wire, url, ca_file=certificate) as provider,
        ):
            return await ask(provider, wire)


async def _no_handshake(wire: Wire) -> Outcome:
    async with greeting_server(b"") as url, opened(wire, url.replace("http", "https")) as provider:
        return await ask(provider, wire)


async def _half_open(wire: Wire) -> Outcome:
    async with greeting_server(None) as url, opened(wire, url, IMPATIENCE) as provider:
        return await ask(provider, wire)


async def _no_http(wire: Wire) -> Outcome:
    async with greeting_server(b"SSH-2.0-x\r\n\r\n") as url, opened(wire, url) as provider:
        return await ask(provider, wire)


async def _elsewhere(wire: Wire) -> Outcome:
    with LLMServer(wire.handle) as other:
        outcome = await answered(wire, Answer([], 307, {"location": other.url}))
        assert other.accepted == 0
        return outcome


_CONNECTIONS: dict[str, Run] = {
    "nobody listens": _refused,
    "the name is not known": _unknown,
    "no TLS where there should be": _plain,
    "it is closed within the TLS handshake": _no_handshake,
    "a certificate that nobody vouches for": _untrusted,
    "a certificate for another name": _another_name,
    "half-open: taken, and then silent": _half_open,
    "what answers speaks no HTTP": _no_http,
    "a redirect to another origin": _elsewhere,
}


def _late(wire: Wire) -> Answer:
    return Answer(wire.body, delay=60)


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


async def _head_in_http2(wire: Wire, head: str, how: How, patience: float) -> Outcome:
    told = Told(wire.body, headers={"content-type": "text/event-stream"}, head=head, how=how)
    async with serving(told) as server:
        async with opened(wire, server.url, patience) as provider:
            outcome = await ask(provider, wire)
            await server.until_unused()
        await server.until(0)
    return outcome


async def _slow_head(wire: Wire) -> Outcome:
    if speaks_http2():
        return await _head_in_http2(wire, "slow", "end", PATIENCE)
    async with greeting_server(_HEAD, pace=0.001, then=wire.body) as url, opened(wire, url) as provider:
        return await ask(provider, wire)


def _head(place: str, how: How) -> Run:
    told = _HEAD[: {"first": 1, "middle": len(_HEAD) // 2, "last": len(_HEAD) - 1}[place]]

    async def run(wire: Wire) -> Outcome:
        patience = IMPATIENCE if how == "stall" else PATIENCE
        if speaks_http2():
            return await _head_in_http2(wire, place, how, patience)
        async with greeting_server(told, stays=how == "stall") as url, opened(wire, url, patience) as provider:
            return await ask(provider, wire)

    return run


_BREAKS: dict[str, How] = {
    "the answer ends early, in good order": "end",
    "the connection is closed": "close",
    "the connection is reset": "reset",
    "it stalls": "stall",
}


def _breaks() -> Iterator[Fault]:
    for name, how in _BREAKS.items():
        for place in PLACES:
            yield Fault("Break", name, place, _cut(how, partial(cut_at, place=place)))
    for name, how in _BREAKS.items():
        if how != "end":
            yield Fault("Break", f"{name}, after all was said", "", _cut(how, lambda wire: len(wire.body)))
    for place in PLACES:
        yield Fault("Break", "a packed answer is cut", place, runs(partial(_packed, place=place)))


def _cut(how: How, size: Callable[[Wire], int]) -> Run:
    patience = IMPATIENCE if how == "stall" else PATIENCE
    return runs(lambda wire: Answer(wire.body, cut=size(wire), how=how), patience)


def _packed(wire: Wire, place: str) -> Answer:
    """As servers pack a stream: what is told so far can be unpacked."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    pieces = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in wire.events]
    sent = sum(map(len, pieces[: before(wire, place)]))
    inside = len(pieces[0]) // 2 if place == "first" else 0
    return Answer(b"".join(pieces), headers={"content-encoding": "gzip"}, cut=sent + inside, how="close")
