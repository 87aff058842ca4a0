"""HTTP/2 to providers, against a real server: calls share connections, and what ends one harms no other."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from sentient_cli.errors import (
    ConfigError,
    PoolExhaustedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
)
from sentient_cli.llm import Message, Request
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.wire.http2 import extra
from sentient_cli.llm.wire.remote import RemoteProvider
from sentient_cli.llm.wire.transport import Transport
from tests.llm.providers.pool_kit import config, listening, make_certificate, offering, opened, proxied
from tests.llm.providers.wires import TEXT, WIRES, Wire
from tests.support.http2_server import Http2Server, Told, serving
from tests.support.llm_server import LLMServer, as_json

STUCK = Told(how="stall")
CANCEL = 8


@asynccontextmanager
async def asked(
    *answers: Told, limit: int = 100, **settings: object
) -> AsyncGenerator[tuple[Http2Server, Transport], None]:
    """A server, and connections to it."""
    async with serving(*answers, limit=limit) as server, opened(server.url, http2=True, **settings) as transport:
        yield server, transport


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.story("13.1")
async def test_calls_share_one_connection() -> None:
    async with asked() as (server, transport):
        fetched = await asyncio.gather(*(transport.fetch("GET", f"{server.url}/v1?n=1", {}) for _ in range(80)))
        assert {each.body for each in fetched} == {b"Hello"}
        assert server.accepted == 1
        assert transport.facts.open == 1
        assert {head[":path"] for head, _ in server.requests} == {"/v1?n=1"}
        assert server.resets == []
    await server.until(0)


@pytest.mark.story("13.1", "13.7")
async def test_there_are_as_many_connections_as_calls_need() -> None:
    async with asked(STUCK, limit=3) as (server, transport):
        held = await asyncio.gather(*(transport.open("GET", server.url, {}) for _ in range(7)))
        assert (server.accepted, server.most, transport.facts.in_use) == (3, 3, 7)
        for incoming in held:
            incoming.close()
        assert (transport.facts.open, transport.facts.in_use) == (3, 0)


@pytest.mark.story("13.1", "E13.1")
async def test_calls_beyond_that_wait_and_are_told() -> None:
    async with asked(STUCK, limit=2, max_connections=1, pool_timeout=0.05) as (server, transport):
        held = [await transport.open("GET", server.url, {}) for _ in range(2)]
        with pytest.raises(PoolExhaustedError, match="No connection"):
            await transport.open("GET", server.url, {})
        waiting = asyncio.create_task(transport.open("GET", server.url, {}))
        await asyncio.sleep(0)
        assert transport.facts.waiting == 1
        held[0].close()
        (await waiting).close()
        held[1].close()
        assert (transport.facts.in_use, transport.facts.waiting) == (0, 0)


@pytest.mark.story("13.1")
async def test_a_server_that_takes_nothing_is_not_stormed() -> None:
    async with asked(limit=0, pool_timeout=0.05) as (server, transport):
        with pytest.raises(PoolExhaustedError):
            await transport.fetch("GET", server.url, {})
        assert server.accepted == 1


@pytest.mark.story("13.1")
async def test_large_bodies_go_both_ways() -> None:
    sent, answered = b"s" * 200_000, b"a" * 3_000_000
    async with asked(Told(answered, piece=2**16)) as (server, transport):
        several = (transport.fetch("POST", server.url, {"X-Team": "a"}, sent) for _ in range(3))
        for fetched in await asyncio.gather(*several):
            assert fetched.body == answered
        assert [body for _, body in server.requests] == [sent] * 3
        assert server.requests[0][0]["x-team"] == "a"


async def test_who_does_not_read_holds_up_nobody_else() -> None:
    async with asked(Told(b"a" * 3_000_000, piece=2**16), Told()) as (server, transport):
        slow = await transport.open("GET", server.url, {})
        assert (await transport.fetch("GET", server.url, {})).body == b"Hello"
        slow.close()
        await server.until_reset()
        assert (await transport.fetch("GET", server.url, {})).body == b"Hello"
        assert server.accepted == 1


@pytest.mark.story("13.1")
async def test_an_answer_that_is_given_up_is_cancelled_at_the_server() -> None:
    async with asked(STUCK) as (server, transport):
        incoming = await transport.open("GET", server.url, {})
        assert await incoming.read_some() == b"Hello"
        reading = asyncio.create_task(incoming.read_some())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        incoming.close()
        await server.until_reset()
        assert server.resets == [CANCEL]
        server.answers = [Told()]
        assert (await transport.fetch("GET", server.url, {})).body == b"Hello"
        assert server.accepted == 1


async def test_a_call_that_is_cancelled_while_it_connects_leaves_nothing() -> None:
    async with asked() as (server, transport):
        asking = asyncio.create_task(transport.open("GET", server.url, {}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert (transport.facts.in_use, transport.facts.open) == (0, 0)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("reset", "broke the answer off (INTERNAL_ERROR)"),
        ("close", "The answer ended in the middle"),
        ("refuse", "refused the request without looking at it"),
    ],
)
@pytest.mark.story("13.1")
async def test_an_answer_that_breaks_off(how: str, why: str) -> None:
    async with asked(Told(how=how)) as (server, transport):
        with pytest.raises(ProviderConnectionError, match="broke") as raised:
            await transport.fetch("GET", server.url, {})
        assert why in raised.value.why
        assert raised.value.retryable
        assert len(server.requests) == (2 if how == "refuse" else 1)
        server.answers = [Told()]
        assert (await transport.fetch("GET", server.url, {})).status == 200


async def test_silence_ends_the_call_and_the_connection_takes_no_other() -> None:
    async with asked(Told(how="silent"), Told(), timeout=0.05) as (server, transport):
        with pytest.raises(ProviderTimeoutError, match="fell silent"):
            await transport.fetch("GET", server.url, {})
        await server.until(0)
        assert (await transport.fetch("GET", server.url, {})).status == 200
        assert server.accepted == 2


@pytest.mark.story("13.3", "13.7")
async def test_a_farewell_cuts_no_answer_and_the_next_call_has_another_connection() -> None:
    async with asked(Told(b"x" * 200_000, how="leave"), Told()) as (server, transport):
        assert len((await transport.fetch("GET", server.url, {})).body) == 200_000
        assert (await transport.fetch("GET", server.url, {})).body == b"Hello"
        assert server.accepted == 2
        await server.until(1)


@pytest.mark.story("13.3")
async def test_a_request_that_nobody_looked_at_is_sent_once_more() -> None:
    async with asked(Told(how="silent"), Told()) as (server, transport):
        asking = asyncio.create_task(transport.fetch("GET", server.url, {}))
        async with asyncio.timeout(20):
            while not server.requests:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.002)
        server.connections[0].leave(0)
        assert (await asking).body == b"Hello"
        assert server.accepted == 2


@pytest.mark.story("13.2", "13.7")
async def test_a_connection_that_is_too_old_is_replaced_and_its_answers_go_on() -> None:
    async with asked(STUCK, Told(), lifetime=0.02) as (server, transport):
        held = await transport.open("GET", server.url, {})
        await asyncio.sleep(0.03)
        await transport.fetch("GET", server.url, {})
        assert (server.accepted, transport.facts.open) == (2, 2)
        assert await held.read_some() == b"Hello"
        held.close()
        await server.until(1)


@pytest.mark.story("13.2")
async def test_unused_connections_close() -> None:
    async with asked(STUCK, limit=1, keepalive=0.02, max_idle=1) as (server, transport):
        held = await asyncio.gather(*(transport.open("GET", server.url, {}) for _ in range(3)))
        for incoming in held[:2]:
            incoming.close()
        await server.until(2)  # one of them may stay for a while
        await server.until(1)
        assert transport.facts.open == 1
        held[2].close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "bare"])
async def test_packed_answers_are_unpacked(encoding: str) -> None:
    body = b"Hello " * 500_000
    bare = zlib.compressobj(wbits=-15)
    packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body), "bare": bare.compress(body) + bare.flush()}
    told = Told(packed[encoding], headers={"content-encoding": encoding.replace("bare", "deflate")})
    cut = Told(told.body[:-20], headers=told.headers)
    wrong = Told(b"\x08no", headers=told.headers)
    async with asked(told, cut, wrong, Told(headers={"content-encoding": "br"})) as (server, transport):
        assert (await transport.fetch("GET", server.url, {})).body == body
        for why in ("ended in the middle", "not packed as its head says", "which nobody asked for"):
            with pytest.raises(ProviderConnectionError) as raised:
                await transport.fetch("GET", server.url, {})
            assert why in raised.value.why


@pytest.mark.story("13.1", "E13.2")
async def test_it_is_agreed_upon_where_it_is_encrypted(certificate: Path) -> None:
    trusted: dict[str, object] = {"http2": True, "ca_file": str(certificate)}
    async with serving(context=offering(certificate, "h2", "http/1.1")) as server:
        async with opened(server.url, **trusted) as transport:
            assert (await transport.fetch("GET", server.url, {})).body == b"Hello"
        async with opened(server.url, http2=True) as transport:
            with pytest.raises(ProviderConnectionError, match="cannot be trusted") as raised:
                await transport.fetch("GET", server.url, {})
        assert raised.value.why == "The certificate of localhost is signed by nobody but itself"


def test_it_works_on_the_loop_of_servers_too(certificate: Path) -> None:
    async def main() -> None:
        async with (
            serving(Told(b"x" * 300_000), context=offering(certificate, "h2")) as server,
            opened(server.url, http2=True, ca_file=str(certificate)) as transport,
        ):
            assert len((await transport.fetch("POST", server.url, {}, b"y" * 300_000)).body) == 300_000

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("protocols", [("http/1.1",), ()])
@pytest.mark.story("13.1")
async def test_a_server_without_it_says_so_when_encrypted(certificate: Path, protocols: tuple[str, ...]) -> None:
    async with serving(context=offering(certificate, *protocols)) as server:
        async with opened(server.url, http2=True, ca_file=str(certificate)) as transport:
            with pytest.raises(ProviderConnectionError, match="does not speak HTTP/2") as raised:
                await transport.fetch("GET", server.url, {})
        assert not raised.value.retryable
        assert "Remove `http2`" in raised.value.fix


@pytest.mark.story("13.1")
async def test_a_server_without_it_says_so_on_this_machine() -> None:
    with LLMServer(as_json({})) as server:
        async with opened(server.url, http2=True) as transport:
            with pytest.raises(ProviderConnectionError, match="does not speak HTTP/2"):
                await transport.fetch("GET", server.url, {})


async def test_nobody_there_is_said_as_with_the_other(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    async with opened(url, http2=True) as transport:
        several = (transport.fetch("GET", url, {}) for _ in range(3))
        for failure in await asyncio.gather(*several, return_exceptions=True):
            assert isinstance(failure, ProviderConnectionError)
            assert failure.why == f"127.0.0.1:{free_port} refused the connection: nothing listens there"
        assert (transport.facts.in_use, transport.facts.open) == (0, 0)


async def test_who_accepts_and_says_nothing_is_not_waited_for() -> None:
    async with listening() as url, opened(url, http2=True, connect_timeout=0.05) as transport:
        with pytest.raises(ProviderTimeoutError, match="cannot be reached in time"):
            await transport.fetch("GET", url, {})


async def test_a_header_that_cannot_be_sent_is_no_secret() -> None:
    async with asked() as (server, transport):
        with pytest.raises(ConfigError, match="cannot be sent") as raised:
            await transport.fetch("GET", server.url, {"authorization": "sk-1\r\nx: y"})
        assert "sk-1" not in str(raised.value)
        assert transport.facts.in_use == 0


@pytest.mark.story("E13.2", "13.1")
async def test_it_goes_through_aproxied(certificate: Path) -> None:
    async with serving(context=offering(certificate, "h2")) as server, proxied("") as (proxy, heads):
        told: dict[str, object] = {"http2": True, "ca_file": str(certificate)}
        named = proxy.replace("//", "//me:a%20word@")
        async with opened(server.url, proxy=named, **told) as transport:
            assert (await transport.fetch("GET", server.url, {})).body == b"Hello"
        assert heads[0].startswith(f"CONNECT localhost:{server.url.rpartition(':')[2]} HTTP/1.1\r\n")
        assert "Proxy-Authorization: Basic bWU6YSB3b3Jk\r\n" in heads[0]
        async with proxied("407 No") as (refusing, _), opened(server.url, proxy=refusing, **told) as transport:
            with pytest.raises(ProviderConnectionError, match="The proxy to the provider") as raised:
                await transport.fetch("GET", server.url, {})
        assert raised.value.why == "The proxy does not let it through (status 407)"
        async with opened(server.url, proxy="https://127.0.0.1:9", **told) as transport:
            with pytest.raises(ConfigError, match="does not go through this proxy"):
                await transport.fetch("GET", server.url, {})


@pytest.mark.story("13.1", "13.6")
async def test_it_can_be_opened_before_there_is_traffic() -> None:
    async with asked(limit=4) as (server, transport):
        assert await transport.warm_up(8, server.url, {}) == 2
        assert server.accepted == 2


async def test_what_is_closed_meanwhile_says_so() -> None:
    async with asked(STUCK, limit=1, max_connections=1) as (server, transport):
        held = await transport.open("GET", server.url, {})
        assert await held.read_some() == b"Hello"
        reading = asyncio.create_task(held.read_some())
        waiting = asyncio.create_task(transport.open("GET", server.url, {}))
        await asyncio.sleep(0)
        await transport.aclose()
        for task in (reading, waiting):
            with pytest.raises(ProviderError):
                await task
        await server.until(0)


async def test_what_is_closed_while_it_connects_says_so() -> None:
    async with listening() as url, opened(url, http2=True) as transport:
        asking = asyncio.create_task(transport.open("GET", url, {}))
        await asyncio.sleep(0.01)
        await transport.aclose()
        with pytest.raises(ProviderError, match="'mine' is closed"):
            await asking


def _nowhere(name: str) -> None:
    """No such module."""


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", _nowhere)
    monkeypatch.setattr(extra, "sys", type("Sys", (), {"modules": {}}))
    with pytest.raises(ConfigError, match="HTTP/2 needs a library that is not installed") as raised:
        Transport("mine", config("http://127.0.0.1:9/v1", http2=True))
    assert "`h2`" in raised.value.why
    assert "pip install 'sentient-agent-cli[http2]'" in raised.value.fix


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.story("13.1")
async def test_every_provider_speaks_it(wire: Wire) -> None:
    async with serving(Told(wire.body, headers={"content-type": "text/event-stream"}, piece=50)) as server:
        provider: LLMProvider = wire.make(server.url, 5.0)
        assert isinstance(provider, RemoteProvider)
        await provider.update_config({"http2": True})
        try:
            answer = await provider.generate(Request(model=wire.model, messages=(Message.user("Hi"),)))
            assert answer.text == TEXT
            assert provider.pool.open == server.accepted == 1
        finally:
            await provider.aclose()
