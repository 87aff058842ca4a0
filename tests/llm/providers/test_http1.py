"""Connections in HTTP/1.1: which are used again, how much is held, how large requests go, and by which way."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from unittest import mock

import pytest

from sentient_cli.errors import ConfigError, ProviderConnectionError, ProviderError, ProviderTimeoutError
from sentient_cli.llm.wire.transport import Transport
from tests.llm.providers.http1_kit import MEGABYTE, OK, STREAM, Connected, scripted
from tests.llm.providers.pool_kit import config, make_certificate, offering, opened, proxied


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


# ---------------------------------------------------------------------------------------------------------- used again
async def test_what_only_announces_an_answer_is_none() -> None:
    async def script(one: Connected) -> None:
        while await one.request():
            one.writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK)

    async with scripted(script) as url, opened(url) as transport:
        for _ in range(2):
            fetched = await transport.fetch("POST", url, {}, b"x")
            assert (fetched.status, fetched.body) == (200, b"ok")
        assert transport.facts.open == 1


@pytest.mark.parametrize("after", [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"\r\n"])
async def test_a_connection_that_says_too_much_takes_no_other_call(after: bytes) -> None:
    numbers: list[int] = []

    async def script(one: Connected) -> None:
        while await one.request():
            numbers.append(one.number)
            one.writer.write(OK + after)

    async with scripted(script) as url, opened(url) as transport:
        for _ in range(3):
            assert (await transport.fetch("GET", url, {})).body == b"ok"
        assert transport.facts.open == 0
    assert len(set(numbers)) == 3


async def test_what_comes_unasked_closes_an_unused_connection() -> None:
    said, closed = asyncio.Event(), asyncio.Event()

    async def script(one: Connected) -> None:
        await one.request()
        one.writer.write(OK)
        await said.wait()
        one.writer.write(OK)
        try:
            await one.reader.read()
        finally:
            closed.set()

    async with scripted(script) as url, opened(url) as transport:
        await transport.fetch("GET", url, {})
        assert transport.facts.open == 1
        said.set()
        await closed.wait()
        assert transport.facts.open == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_that_is_closed_when_it_is_used_again(method: str) -> None:
    heads: list[str] = []

    async def script(one: Connected) -> None:
        heads.append(await one.request())
        one.writer.write(OK)
        heads.append(await one.request())
        one.writer.close()

    async with scripted(script) as url, opened(url) as transport:
        await transport.fetch(method, url, {})
        if method == "GET":  # nothing changes by it, so it may be asked again
            assert (await transport.fetch(method, url, {})).body == b"ok"
        else:
            with pytest.raises(ProviderConnectionError, match="broke") as raised:
                await transport.fetch(method, url, {})
            assert raised.value.why.endswith("closed the connection before it had answered")
    assert len(heads) == (3 if method == "GET" else 2)


async def test_one_that_nobody_uses_is_closed() -> None:
    closed = asyncio.Event()

    async def script(one: Connected) -> None:
        await one.request()
        one.writer.write(OK)
        await one.reader.read()
        closed.set()

    async with scripted(script) as url, opened(url, keepalive=0.02) as transport:
        await transport.fetch("GET", url, {})
        assert transport.facts.open == 1
        await closed.wait()
        assert transport.facts.open == 0


async def test_what_follows_something_garbled_is_not_read() -> None:
    async def script(one: Connected) -> None:
        await one.request()
        one.writer.write(STREAM + b"1\r\na\r\n")
        await asyncio.sleep(0.02)
        one.writer.write(b"no\r\n")
        await asyncio.sleep(0.02)
        one.writer.write(b"1\r\nb\r\n0\r\n\r\n")
        await one.reader.read()

    async with scripted(script) as url, opened(url) as transport:
        incoming = await transport.open("GET", url, {})
        await asyncio.sleep(0.1)
        assert await incoming.read_some() == b"a"
        with pytest.raises(ProviderConnectionError, match="does not speak HTTP"):
            await incoming.read_some()
        incoming.close()
        assert transport.facts.open == 0


async def test_no_request_is_sent_when_all_is_closed_while_a_connection_is_opened(certificate: Path) -> None:
    heads: list[str] = []
    opening, closed = asyncio.Event(), asyncio.Event()

    async def script(one: Connected) -> None:
        heads.append(await one.request())

    async def held(host: str, port: int, **_: object) -> list[object]:
        opening.set()
        await closed.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with scripted(script, offering(certificate)) as url:
        transport = Transport("mine", config(url, ca_file=str(certificate)))
        with mock.patch.object(asyncio.get_running_loop(), "getaddrinfo", held):
            asking = asyncio.create_task(transport.fetch("GET", url, {}))
            await opening.wait()
            await transport.aclose()
            closed.set()
            with pytest.raises(ProviderError, match="'mine' is closed"):
                await asking
    assert heads == []


# ---------------------------------------------------------------------------------------------------- much, and slowly
async def test_no_more_is_held_than_may_be() -> None:
    whole, sent = 48 * MEGABYTE, 0

    async def script(one: Connected) -> None:
        nonlocal sent
        await one.request()
        one.writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % whole)
        while sent < whole:
            one.writer.write(b"x" * MEGABYTE)
            await one.writer.drain()
            sent += MEGABYTE
        await one.reader.read()

    async with scripted(script) as url, opened(url) as transport:
        incoming = await transport.open("GET", url, {})
        before = -1
        while sent != before:  # until what is between us is full
            before = sent
            await asyncio.sleep(0.05)
        assert sent < whole
        assert len(await incoming.read(whole)) == whole
        incoming.close()
        assert transport.facts.open == 1


async def test_a_reader_who_takes_time_is_no_silence() -> None:
    read = asyncio.Event()

    async def script(one: Connected) -> None:
        await one.request()
        one.writer.write(STREAM + b"1\r\na\r\n")
        await read.wait()
        one.writer.write(b"1\r\nb\r\n")
        await one.reader.read()

    async with scripted(script) as url, opened(url, timeout=0.1) as transport:
        incoming = await transport.open("GET", url, {})
        assert await incoming.read_some() == b"a"
        await asyncio.sleep(0.7)
        asyncio.get_running_loop().call_soon(read.set)
        assert await incoming.read_some() == b"b"
        with pytest.raises(ProviderTimeoutError, match="fell silent"):
            await incoming.read_some()
        incoming.close()


@pytest.mark.parametrize("answered", [True, False])
async def test_a_large_request_is_sent_as_far_as_it_is_wanted(answered: bool) -> None:
    body = b"x" * (32 * MEGABYTE)

    async def script(one: Connected) -> None:
        if answered:  # before it is read
            await one.head()
            one.writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
            await asyncio.Event().wait()
        assert f"content-length: {len(body)}" in await one.request()
        one.writer.write(OK)
        await one.reader.read()

    async with scripted(script) as url, opened(url) as transport:
        fetched = await transport.fetch("POST", url, {}, body)
        assert (fetched.status, transport.facts.open) == ((413, 0) if answered else (200, 1))


async def test_who_cancels_a_large_request_frees_its_connection() -> None:
    async def script(one: Connected) -> None:
        await one.head()
        await asyncio.Event().wait()

    async with scripted(script) as url, opened(url) as transport:
        asking = asyncio.create_task(transport.fetch("POST", url, {}, b"x" * (32 * MEGABYTE)))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert (transport.facts.open, transport.facts.in_use) == (0, 0)


# ---------------------------------------------------------------------------------------------------------------- ways
async def _echo(one: Connected) -> None:
    while head := await one.request():
        one.writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(head), head.encode()))


def _resolved(*places: tuple[str, int]) -> mock.Mock:
    kinds = [socket.AF_INET6 if ":" in host else socket.AF_INET for host, _ in places]
    return mock.Mock(
        return_value=[(kind, socket.SOCK_STREAM, 6, "", place) for kind, place in zip(kinds, places, strict=True)]
    )


async def test_the_first_address_that_answers_is_taken(free_port: int) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        full = [socket.socket() for _ in range(3)]
        for one in full:  # from then on nobody is let in, and nobody is refused
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        async with scripted(_echo) as url:
            port = int(url.rpartition(":")[2])
            places = [("127.0.0.1", free_port), deaf.getsockname(), ("::1", free_port), ("127.0.0.1", port)]
            with mock.patch.object(socket, "getaddrinfo", _resolved(*places)):
                async with opened(f"http://localhost:{port}") as transport:
                    fetched = await transport.fetch("GET", f"http://localhost:{port}/a", {})
                    assert f"host: localhost:{port}" in fetched.body.decode()
        for one in full:
            one.close()


async def test_no_address_answers(free_port: int) -> None:
    places = [("127.0.0.1", free_port), ("::1", free_port)]
    with mock.patch.object(socket, "getaddrinfo", _resolved(*places)):
        async with opened(f"http://localhost:{free_port}") as transport:
            with pytest.raises(ProviderConnectionError, match="cannot be reached") as raised:
                await transport.fetch("GET", f"http://localhost:{free_port}", {})
    assert "refused the connection" in raised.value.why


async def test_what_is_asked_for() -> None:
    async with scripted(_echo) as url, opened(url) as transport:
        for path, shown in (("", "/"), ("/a b?c=ä%20d", "/a%20b?c=%C3%A4%20d"), ("?q", "/?q"), ("/a#part", "/a")):
            head = (
                await transport.fetch("GET", url + path, {"X-Mine": "1", "Host": "evil", "Content-Length": "9"})
            ).body
            lines = head.decode().split("\r\n")
            assert lines[0] == f"GET {shown} HTTP/1.1"
            assert {"x-mine: 1", f"host: {url.removeprefix('http://')}", "user-agent: sentient"} < set(lines)
            assert not any(line.startswith("content-length") for line in lines)
        for name, value in (("a b", "c"), ("a", "b\r\nc: d"), ("a", "b\0"), ("", "b")):
            with pytest.raises(ConfigError, match="cannot be sent"):
                await transport.fetch("GET", url, {name: value})


@pytest.mark.story("E13.2")
async def test_a_proxy_is_told_who_asks() -> None:
    async with scripted(_echo) as proxy:
        named = proxy.replace("//", "//me:a%20word@")
        async with opened("http://127.0.0.1:9/v1", proxy=named) as transport:
            head = (await transport.fetch("GET", "http://127.0.0.1:9/v1/models", {})).body.decode()
    assert head.startswith("GET http://127.0.0.1:9/v1/models HTTP/1.1\r\nhost: 127.0.0.1:9\r\n")
    assert "Proxy-Authorization: Basic bWU6YSB3b3Jk\r\n" in head


@pytest.mark.story("E13.2")
@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_it_goes_through_a_proxy(certificate: Path, is_encrypted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # what the way to an encrypted proxy trusts
    context = offering(certificate) if is_encrypted else None
    scheme = "https://me:a%20word@localhost" if is_encrypted else "http://me:a%20word@127.0.0.1"
    async with scripted(_echo, offering(certificate)) as url, proxied("", context) as (proxy, heads):
        named = proxy.replace("http://127.0.0.1", scheme)
        async with opened(url, proxy=named, ca_file=str(certificate)) as transport:
            for _ in range(2):
                head = (await transport.fetch("GET", f"{url}/v1", {})).body.decode()
                assert head.startswith("GET /v1 HTTP/1.1\r\n")
                assert "Proxy-Authorization" not in head
    assert len(heads) == 1
    assert heads[0].startswith(f"CONNECT {url.removeprefix('https://')} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bWU6YSB3b3Jk\r\n" in heads[0]


@pytest.mark.story("E13.2")
async def test_a_proxy_that_does_not_do_it(certificate: Path, free_port: int) -> None:
    trusted = {"ca_file": str(certificate)}
    url = "https://localhost:9"
    async with proxied("407 No") as (refusing, _), opened(url, proxy=refusing, **trusted) as transport:
        with pytest.raises(ProviderConnectionError, match="The proxy to the provider") as raised:
            await transport.fetch("GET", url, {})
    assert raised.value.why == "The proxy does not let it through (status 407)"
    async with opened(url, proxy=f"http://127.0.0.1:{free_port}", **trusted) as transport:
        with pytest.raises(ProviderConnectionError, match="The proxy to the provider"):
            await transport.fetch("GET", url, {})
    async with opened(url, proxy="socks5://127.0.0.1:9", **trusted) as transport:
        with pytest.raises(ConfigError, match="through this proxy"):
            await transport.fetch("GET", url, {})
