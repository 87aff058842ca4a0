"""Connections to providers: how many, for how long, how trusted, and each of their errors as one of ours."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    AuthenticationError,
    ConfigError,
    PoolExhaustedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm.wire.broken import BrokenError, NotReachedError, StalledError
from sentient_cli.llm.wire.keys import KeyRing
from sentient_cli.llm.wire.seam import failure_of
from sentient_cli.llm.wire.transport import Transport
from sentient_cli.testing import FixedClock
from tests.llm.providers.pool_kit import config, make_certificate, offering, opened
from tests.support.llm_server import Answer, LLMServer, as_json

SLOW = Answer([b"1", b"2"], pace=0.02)
STUCK = Answer([b"1"], how="stall")


@pytest.fixture(name="server")
def _server() -> Iterator[LLMServer]:
    with LLMServer(as_json({"ok": True})) as server:
        yield server


@pytest.mark.story("13.2", "E13.2")
async def test_more_calls_than_connections_wait_their_turn(server: LLMServer) -> None:
    server.answer(SLOW)
    async with opened(server.url, max_connections=3) as transport:
        calls = [asyncio.create_task(transport.fetch("GET", server.url, {})) for _ in range(12)]
        await asyncio.sleep(0.01)
        assert (transport.facts.in_use, transport.facts.waiting, transport.facts.limit) == (3, 9, 3)
        assert [(await call).body for call in calls] == [b"12"] * 12
        assert (transport.facts.in_use, transport.facts.waiting, transport.facts.open) == (0, 0, 3)
    assert server.accepted == 3


@pytest.mark.story("E13.1")
async def test_who_waits_too_long_is_told_so(server: LLMServer) -> None:
    server.answer(STUCK)
    async with opened(server.url, max_connections=1, pool_timeout=0.05) as transport:
        held = await transport.open("GET", server.url, {})
        with pytest.raises(PoolExhaustedError, match=r"No connection .* became free"):
            await transport.open("GET", server.url, {})
        assert (transport.facts.in_use, transport.facts.waiting) == (1, 0)
        held.close()
        held.close()
        assert transport.facts.in_use == 0
        (await transport.open("GET", server.url, {})).close()


async def test_who_is_cancelled_while_waiting_takes_nothing_along(server: LLMServer) -> None:
    server.answer(STUCK)
    async with opened(server.url, max_connections=1) as transport:
        held = await transport.open("GET", server.url, {})
        waiting = [asyncio.create_task(transport.open("GET", server.url, {})) for _ in range(3)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        held.close()
        waiting[1].cancel()
        (await waiting[2]).close()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (transport.facts.in_use, transport.facts.waiting) == (0, 0)


async def test_an_answer_can_be_too_large(server: LLMServer) -> None:
    server.answer(Answer(b"x" * 5000))
    async with opened(server.url) as transport:
        with pytest.raises(ProviderConnectionError, match="too large"):
            await transport.fetch("GET", server.url, {}, limit=4999)
        assert len((await transport.fetch("GET", server.url, {}, limit=5000)).body) == 5000


async def test_no_cookie_is_kept(server: LLMServer) -> None:
    server.answer(Answer(b"1", headers={"set-cookie": "a=b; Path=/"}))
    async with opened(server.url) as transport:
        for _ in range(2):
            await transport.fetch("GET", server.url, {})
    assert "cookie" not in server.requests[-1].headers


async def test_the_environments_proxy_is_not_used(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with opened(server.url) as transport:
        assert (await transport.fetch("GET", server.url, {})).status == 200


@pytest.mark.story("E13.2")
async def test_a_proxy_is_used_when_it_is_set(server: LLMServer) -> None:
    async with opened("http://127.0.0.1:9/v1", proxy=server.url) as transport:
        await transport.fetch("GET", "http://127.0.0.1:9/v1/models", {})
    assert server.requests[-1].path == "http://127.0.0.1:9/v1/models"
    async with opened("http://127.0.0.1:9/v1", proxy="http://127.0.0.1:9") as transport:
        with pytest.raises(ProviderConnectionError, match="The proxy to the provider"):
            await transport.fetch("GET", "http://127.0.0.1:9/v1/models", {})


@pytest.mark.story("13.7")
async def test_a_retired_pool_ends_with_its_last_call(server: LLMServer) -> None:
    server.answer(SLOW)
    async with opened(server.url) as transport:
        await transport.fetch("GET", server.url, {})
        incoming = await transport.open("GET", server.url, {})
        transport.retire()
        assert await incoming.read(100) == b"12"
        incoming.close()
        await asyncio.to_thread(server.wait_open, 0)


@pytest.mark.story("13.7")
@pytest.mark.parametrize("gives_up", [False, True])
async def test_who_waits_for_a_retired_pool_is_served_and_then_it_ends(server: LLMServer, gives_up: bool) -> None:
    gate, wrong = threading.Event(), list[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, told: wrong.append(told))
    server.answer(Answer([b"1", b"2"], gate=gate))
    async with opened(server.url, max_connections=1) as transport:
        calls = [asyncio.create_task(transport.fetch("GET", server.url, {})) for _ in range(3)]
        while transport.facts.waiting < 2:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0)
        transport.retire()
        gate.set()
        if gives_up:
            await calls[0]
            calls[2].cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        served = [each.body for each in answers if not isinstance(each, BaseException)]
        assert served == [b"12"] * (2 if gives_up else 3)
        await asyncio.to_thread(server.wait_open, 0)
    gc.collect()
    assert not wrong


async def test_connections_close_with_the_loop_that_they_belong_to(server: LLMServer) -> None:
    transport = Transport("mine", config(server.url))
    for _ in range(3):
        await asyncio.to_thread(lambda: asyncio.run(_once(transport, server.url)))
        await asyncio.to_thread(server.wait_open, 0)
    await transport.aclose()


async def _once(transport: Transport, url: str) -> None:
    await transport.fetch("GET", url, {})


async def test_once_closed_it_opens_nothing_any_more(server: LLMServer) -> None:
    transport = Transport("mine", config(server.url))
    await transport.fetch("GET", server.url, {})
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(ProviderError, match="'mine' is closed"):
        await transport.fetch("GET", server.url, {})
    assert len(server.requests) == 1
    await asyncio.to_thread(server.wait_open, 0)


# ---------------------------------------------------------------------------------------------------------------- TLS
class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the library
        pass


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(name="secure")
def _secure(certificate: Path) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
    context = offering(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.story("6.4", "E13.2")
async def test_only_certificates_that_are_trusted_are_taken(secure: int, certificate: Path) -> None:
    url = f"https://localhost:{secure}"
    async with opened(url) as transport:
        with pytest.raises(ProviderConnectionError, match="cannot be trusted") as raised:
            await transport.fetch("GET", url, {})
        assert not raised.value.retryable
    async with opened(url, ca_file=str(certificate)) as transport:
        assert (await transport.fetch("GET", url, {})).body == b"hi"
    other_name = f"https://127.0.0.1:{secure}"
    async with opened(other_name, ca_file=str(certificate)) as transport:
        with pytest.raises(ProviderConnectionError, match="cannot be trusted"):
            await transport.fetch("GET", other_name, {})


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_file_of_certificates_that_is_none(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    async with opened("https://localhost:9", ca_file=str(file)) as transport:
        with pytest.raises(ConfigError, match=r"certificates .* cannot be read"):
            await transport.fetch("GET", "https://localhost:9", {})


async def test_who_refuses_a_connection_is_said_plainly(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    async with opened(url) as transport:
        with pytest.raises(ProviderConnectionError, match="cannot be reached") as caught:
            await transport.fetch("GET", url, {})
    assert caught.value.why == f"127.0.0.1:{free_port} refused the connection: nothing listens there"
    assert "Start it" in caught.value.fix


async def test_a_request_that_is_sent_when_all_is_closed_says_so() -> None:
    with LLMServer(Answer(b"data", delay=5.0)) as server:
        transport = Transport("mine", config(server.url))
        asking = asyncio.create_task(transport.open("GET", server.url, {}))
        await asyncio.to_thread(server.wait_open, 1)
        await transport.aclose()
        with pytest.raises(ProviderError, match="'mine' is closed"):
            await asking


# ------------------------------------------------------------------------------------------------------------ the seam
KEY = "sk-in-the-request-0001"


def _errors() -> list[Exception]:
    """One of each class that our connections raise, and of what they stand on."""
    made: list[Exception] = [kind("{} said no") for kind in _broken()]
    made += [TimeoutError(), NotReachedError(), StalledError(), ConnectionResetError("reset"), BrokenPipeError()]
    made += [ConnectionRefusedError(), EOFError(), OSError(111, "Connection refused"), ssl.SSLError(1, "no")]
    made += [ssl.SSLCertVerificationError(1, "self-signed certificate"), socket.gaierror(socket.EAI_NONAME, "no")]
    return [*made, ValueError(f"Newline in {KEY}")]


def _broken() -> list[type[BrokenError]]:
    found = [BrokenError]
    for kind in found:
        found += kind.__subclasses__()
    return found


@pytest.mark.parametrize("error", _errors(), ids=lambda error: type(error).__name__)
def test_every_error_of_a_connection_becomes_ours(error: Exception) -> None:
    failure = failure_of("mine", error, config("https://e.com"), "so far")
    assert isinstance(failure, ProviderError | ConfigError)
    assert failure.what
    assert failure.fix
    assert KEY not in f"{failure} {failure!r}"
    if isinstance(failure, ProviderError):
        assert (failure.provider, failure.partial_text) == ("mine", "so far")
    assert isinstance(failure, ProviderTimeoutError) == isinstance(error, TimeoutError)


def test_what_is_no_error_of_the_network_stays_what_it_is() -> None:
    own = KeyError("a mistake of ours")
    assert failure_of("mine", own, config("https://e.com")) is own


# ---------------------------------------------------------------------------------------------------------------- keys
ERRORS = (
    RateLimitError("No", retry_after=5),
    RateLimitError("No"),
    QuotaError("No"),
    AuthenticationError("No"),
    ServerError("No", retry_after=9),
)


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from(ERRORS) | st.none(), st.integers(0, 40)), max_size=40))
def test_a_resting_key_is_only_taken_when_all_rest(count: int, calls: list[tuple[ProviderError | None, int]]) -> None:
    clock = FixedClock()
    keys = [Secret(f"sk-{place}") for place in range(count)]
    ring = KeyRing(keys, lambda: clock.now_ns() / 1e9)
    rests: dict[Secret, float] = {}
    for error, seconds in calls:
        now = clock.now_ns() / 1e9
        key = ring.take()
        assert key is not None
        awake = [one for one in keys if rests.get(one, 0) <= now]
        assert ring.awake == len(awake)
        assert key in awake or not awake
        if error is not None:
            again = type(error)("No", retry_after=error.retry_after)
            ring.refused(key, again)
            if not isinstance(error, ServerError):
                usual = 30 if isinstance(error, RateLimitError) else 3600
                told = now + (usual if error.retry_after is None else error.retry_after)
                rests[key] = max(told, rests.get(key, 0))
        clock.advance(seconds)


def test_without_keys_there_is_none() -> None:
    ring = KeyRing(())
    assert ring.take() is None
    ring.refused(None, RateLimitError("No"))
