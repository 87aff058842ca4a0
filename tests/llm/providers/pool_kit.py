"""Connections to a server of a test's own, with settings and a certificate of its own."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport

__all__ = ["config", "listening", "make_certificate", "offering", "opened", "proxied"]


def config(url: str, **settings: object) -> RemoteConfig:
    """Settings for an address."""
    return msgspec.convert({"default_model": "", "base_url": url, **settings}, RemoteConfig)


@asynccontextmanager
async def opened(url: str, **settings: object) -> AsyncGenerator[Transport, None]:
    """Connections with these settings, closed at the end."""
    transport = Transport("mine", config(url, **settings))
    try:
        yield transport
    finally:
        await transport.aclose()


def make_certificate(folder: Path) -> Path:
    """A file with a key and a certificate for `localhost`, signed by itself."""
    made = folder / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key.pem"),
         "-out", str(folder / "cert.pem")],
        check=True, capture_output=True, timeout=150,
    )  # fmt: skip
    made.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return made


def offering(certificate: Path, *protocols: str) -> ssl.SSLContext:
    """What a server encrypts with, and which protocols it offers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


@asynccontextmanager
async def proxied(refusal: str, context: ssl.SSLContext | None = None) -> AsyncGenerator[tuple[str, list[str]], None]:
    """A proxy that lets all through, or nothing; encrypted with a context, if one is given."""
    heads: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {refusal or '200 Yes'}\r\n\r\n".encode())
        if not refusal:
            host, _, port = heads[-1].split()[1].rpartition(":")
            there, back = await asyncio.open_connection(host, int(port))
            await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)
        writer.close()

    def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    async with listening(met, context) as url:
        yield url, heads
        await asyncio.gather(*tasks)


@asynccontextmanager
async def listening(
    met: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None] | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncGenerator[str, None]:
    """A server that accepts connections, does with them what it is told, and leaves none."""
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if met is not None:
            met(reader, writer)

    served = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield f"http://127.0.0.1:{served.sockets[0].getsockname()[1]}"
    finally:
        served.close()
        for writer in writers:
            writer.transport.abort()
        for _ in range(5):
            await asyncio.sleep(0)
