"""What a server refuses, or is not, becomes an error that says what to do."""

from __future__ import annotations

import pytest

from sentient_cli.client.agent_client import AgentClient
from sentient_cli.client.transport import base_url
from sentient_cli.errors import ConfigError, NetworkError, SentientError, UsageError
from tests.client.client_kit import QUICK, ask, talking
from tests.client.fault_server import Exchange

FAULTS = b'{"detail":[{"type":"missing","loc":["body","query","id"],"msg":"Field required","input":{}}]}'


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (422, FAULTS, NetworkError, "body.query.id: Field required"),
        (422, b'{"detail":"no"}', NetworkError, "does not accept"),
        (404, b"<html>", NetworkError, "has no agent"),
        (401, b'{"detail":"Who are you?"}', ConfigError, "Who are you"),
        (403, b"", ConfigError, "--agent-token"),
        (403, b'{"detail":"Not this Host","code":"host-not-allowed"}', ConfigError, "--allow-host"),
        (403, b'{"detail":"Not this page","code":"origin-not-allowed"}', ConfigError, "Not this page"),
        (413, b"", NetworkError, "too large"),
        (429, b"", NetworkError, "fewer requests"),
        (500, b"\x1b[2Jboom", NetworkError, "could not answer"),
        (503, b'{"error":{"what":"Draining"}}', NetworkError, "Draining"),
        (400, b'{"error":"bad \\u001b]0;x\\u0007host"}', NetworkError, "bad host"),
        (418, b"{", NetworkError, "refused the request"),
    ],
)
async def test_refusals_say_what_to_do(status: int, body: bytes, kind: type[SentientError], words: str) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(status, body)

    async with talking(handler) as (_, client, _):
        with pytest.raises(kind) as caught:
            await ask(client)
    assert words in str(caught.value)
    assert caught.value.fix
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("code", ["host-not-allowed", "origin-not-allowed"])
async def test_a_refusal_that_no_token_changes_speaks_of_none(code: str) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(403, f'{{"detail":"No","code":"{code}"}}'.encode())

    async with talking(handler) as (_, client, _):
        with pytest.raises(ConfigError) as caught:
            await ask(client)
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("token", ["pässwörd", "a\nb", "\u2028"])
def test_a_token_that_cannot_be_sent(token: str) -> None:
    with pytest.raises(ConfigError, match="visible ASCII") as caught:
        AgentClient("http://127.0.0.1:1", token=token)
    assert token not in str(caught.value)


async def test_a_redirect_is_not_followed() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(307, b"", "Location: http://192.0.2.1/assist\r\n")

    async with talking(handler) as (server, client, _):
        with pytest.raises(NetworkError, match=r"redirect.*192\.0\.2\.1"):
            await ask(client)
    assert len(server.exchanges) == 1


async def test_a_page_is_no_agent() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(200, b"<html>", "Content-Type: text/html\r\n")

    async with talking(handler) as (_, client, _):
        with pytest.raises(NetworkError, match="no Sentient agent"):
            await ask(client)


async def test_nobody_there(free_port: int) -> None:
    async with AgentClient(f"127.0.0.1:{free_port}") as client:
        with pytest.raises(NetworkError, match=r"no agent at .*sentient dev"):
            await ask(client)


async def test_a_server_that_never_answers() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.gone()

    async with talking(handler, QUICK._replace(connect=0.1, first_byte=0.1)) as (_, client, _):
        with pytest.raises(NetworkError, match="did not answer in time"):
            await ask(client)


async def test_a_server_that_hangs_up_before_it_answers_is_not_asked_again() -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.reset()

    async with talking(handler) as (server, client, _):
        with pytest.raises(NetworkError, match="broke before"):
            await ask(client)
    assert len(server.exchanges) == 1


@pytest.mark.parametrize("data", ["hello", "{}", '{"content_type":"atomic.textblock"}', "[" * 3000])
async def test_what_is_no_event_is_an_error(data: str) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(f"data: {data}\n\n".encode())
        await exchange.gone()

    async with talking(handler) as (_, client, _):
        with pytest.raises(NetworkError, match="no event") as caught:
            await ask(client)
    assert (caught.value.exit_code, caught.value.code) == (4, "network")
    assert "Sentient agent" in caught.value.fix


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1/", "http://h:1"),
        ("https://h/a/assist", "https://h/a"),
        ("h:1", "http://h:1"),
        ("http://h/assist/", "http://h"),
        ("http://h/a/?q=1#f", "http://h/a"),
        ("[::1]:80", "http://[::1]"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    assert base_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "ftp://h", "http://", "http://u:p@h", "http://h:x", "http://\x1b[2J"),
        *("http://h:65536", "http://h:0", "http://h:-1", "http://xn--", "http://ü..h"),
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        base_url(url)
    assert "\x1b" not in str(caught.value)
