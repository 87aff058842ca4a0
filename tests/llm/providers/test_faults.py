"""Every fault of a network or a server, for every provider: the right error, the text so far, and nothing left."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import json
import math
import socket
import time
import zlib
from collections.abc import Callable

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    ContextLengthExceededError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Message
from sentient_cli.llm.wire.failures import Refusal, error_of
from sentient_cli.llm.wire.keys import KeyRing
from tests.llm.providers.faulty import IMPATIENCE, PATIENCE, answered, ask, greeting_server, opened, wires
from tests.llm.providers.wires import TEXT, Wire
from tests.support.llm_server import Answer, How, LLMServer, Received


def places(wire: Wire) -> dict[str, int]:
    """Where an answer breaks: before its first byte, in the middle, and one byte before it is complete."""
    return {"first": 0, "middle": wire.complete_at // 2, "last": wire.complete_at - 1}


@wires
@pytest.mark.story("4.3", "E4.1")
@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("end", ProviderConnectionError),
        ("close", ProviderConnectionError),
        ("reset", ProviderConnectionError),
        ("stall", ProviderTimeoutError),
    ],
)
async def test_an_answer_that_breaks(wire: Wire, place: str, how: How, kind: type[ProviderError]) -> None:
    answer = Answer(wire.body, cut=places(wire)[place], how=how)
    outcome = await answered(wire, answer, IMPATIENCE if how == "stall" else PATIENCE)
    assert outcome.error is not None
    assert type(outcome.error) is kind
    assert outcome.error.retryable
    assert outcome.finish is None
    assert outcome.error.partial_text == outcome.text
    assert TEXT.startswith(outcome.text)
    assert bool(outcome.text) == (place != "first")
    assert (outcome.text == TEXT) == (place == "last")


@pytest.mark.slow
@wires
@pytest.mark.parametrize("how", ["close", "reset", "stall"])
async def test_a_fault_after_all_is_said_loses_nothing(wire: Wire, how: How) -> None:
    outcome = await answered(wire, Answer(wire.body, how=how), IMPATIENCE if how == "stall" else PATIENCE)
    assert (outcome.text, outcome.finish, outcome.error) == (TEXT, "stop", None)


@wires
async def test_nobody_listens(wire: Wire) -> None:
    async with greeting_server(b"") as url:
        pass
    async with opened(wire, url) as provider:
        outcome = await ask(provider, wire)
    assert type(outcome.error) is ProviderConnectionError
    assert outcome.error.retryable


@pytest.mark.slow
@wires
@pytest.mark.parametrize(
    "greeting", [b"", b"\x00\x01\x02\xff\xfe", b"HTTP/1.1 200 OK\r\nContent-Le", b"SSH-2.0-x\r\n\r\n"]
)
async def test_what_speaks_no_http(wire: Wire, greeting: bytes) -> None:
    async with greeting_server(greeting) as url, opened(wire, url) as provider:
        outcome = await ask(provider, wire)
    assert type(outcome.error) is ProviderConnectionError


@wires
@pytest.mark.parametrize("greeting", [None, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"])
async def test_a_head_that_never_comes(wire: Wire, greeting: bytes | None) -> None:
    answer = Answer(wire.body, delay=60.0)
    if greeting is None:
        outcome = await answered(wire, answer, IMPATIENCE)
    else:
        async with greeting_server(None) as url, opened(wire, url, IMPATIENCE) as provider:
            outcome = await ask(provider, wire)
    assert type(outcome.error) is ProviderTimeoutError


@pytest.mark.slow
@wires
async def test_a_name_that_leads_nowhere(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with opened(wire, "https://nowhere.invalid") as provider:
        outcome = await ask(provider, wire)
    assert type(outcome.error) is ProviderConnectionError


@pytest.mark.slow
@wires
async def test_no_tls_where_there_should_be(wire: Wire) -> None:
    async with (
        greeting_server(b"HTTP/1.1 400 Bad\r\n\r\n") as url,
        opened(wire, url.replace("http", "https")) as provider,
    ):
        outcome = await ask(provider, wire)
    assert type(outcome.error) is ProviderConnectionError
    assert outcome.error.what.endswith("cannot be trusted")


PIECES: dict[str, Callable[[bytes], list[bytes]]] = {
    "as it is": lambda body: [body],
    "a byte each": lambda body: [body[place : place + 1] for place in range(len(body))],
    "with other line ends": lambda body: [body.replace(b"\n", b"\r\n")],
    "with other line ends, a byte each": lambda body: [bytes([byte]) for byte in body.replace(b"\n", b"\r\n")],
    "with carriage returns": lambda body: [body.replace(b"\n", b"\r")],
    "with comments": lambda body: [body.replace(b"\n\n", b"\n\n: waiting\n\n")],
    "with a mark at its beginning": lambda body: [b"\xef\xbb\xbf", body],
    "with other fields": lambda body: [body.replace(b"data: ", b"id: 1\nretry: 5\ndata: ")],
    "without spaces": lambda body: [body.replace(b"data: ", b"data:")],
    "on several lines": lambda body: [body.replace(b', "', b',\ndata: "')],
}


@pytest.mark.slow
@wires
@pytest.mark.parametrize("form", PIECES)
async def test_every_form_of_a_stream_is_read(wire: Wire, form: str) -> None:
    outcome = await answered(wire, Answer(PIECES[form](wire.body)))
    assert (outcome.text, outcome.finish, outcome.error) == (TEXT, "stop", None)


@wires
async def test_a_trickle_is_slow_but_fine(wire: Wire) -> None:
    outcome = await answered(wire, Answer(wire.events, pace=0.02), 1.0)
    assert (outcome.text, outcome.finish, outcome.error) == (TEXT, "stop", None)


@wires
@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize(
    "bad", [b'data: {"choices": [{"delta"\n\n', b"data: Oops\n\n", b"data: \xff\xfe\n\n", b"data: []\n\n"]
)
async def test_a_part_that_cannot_be_read(wire: Wire, place: str, bad: bytes) -> None:
    before = {"first": 0, "middle": wire.terminal // 2, "last": wire.terminal}[place]
    named = b"event: content_block_delta\n" if wire.name == "anthropic" else b""
    outcome = await answered(wire, Answer([*wire.events[:before], named + bad, *wire.events[before:]]))
    assert type(outcome.error) is ProviderConnectionError
    assert outcome.error.partial_text == outcome.text
    assert bool(outcome.text) == (place != "first")


@pytest.mark.slow
@wires
@pytest.mark.story("E4.1")
@pytest.mark.parametrize("place", ["first", "middle", "last"])
async def test_an_error_in_the_stream(wire: Wire, place: str) -> None:
    before = {"first": 0, "middle": wire.terminal // 2, "last": wire.terminal}[place]
    outcome = await answered(wire, Answer([*wire.events[:before], wire.error]))
    assert type(outcome.error) is ServerError
    assert outcome.error.partial_text == outcome.text
    assert bool(outcome.text) == (place != "first")


STATUSES = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    408: ProviderTimeoutError,
    409: ServerError,
    413: BadRequestError,
    422: BadRequestError,
    429: RateLimitError,
    500: ServerError,
    502: ServerError,
    503: ServerError,
    504: ProviderTimeoutError,
    529: ServerError,
}


@wires
@pytest.mark.story("1.8", "4.3")
@pytest.mark.parametrize("status", STATUSES)
async def test_every_status(wire: Wire, status: int) -> None:
    outcome = await answered(wire, wire.refusal(status))
    assert type(outcome.error) is STATUSES[status]
    assert outcome.error.retryable == (status in {408, 409, 429, 500, 502, 503, 504, 529})
    assert str(status) in outcome.error.what


def test_the_keys_of_a_provider_made_by_hand_are_known() -> None:
    KeyRing([Secret("correct horse battery"), Secret("ollama")])
    error = error_of("mine", 401, Refusal("Wrong: correct horse battery", code="correct horse battery for ollama"))
    assert "horse" not in f"{error.what}{error.why}"
    assert "ollama" in error.what


def a_date() -> str:
    return email.utils.formatdate(time.time() + 1000, usegmt=True)


@pytest.mark.slow
@wires
@pytest.mark.story("1.8")
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7, 7),
        ({"retry-after": "0.5"}, 0.5, 0.5),
        ({"retry-after-ms": "250"}, 0.25, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25, 0.25),
        ({"retry-after": "A DATE"}, 900, 1000),
    ],
)
async def test_when_to_come_back(wire: Wire, status: int, headers: dict[str, str], least: float, most: float) -> None:
    told = {name: value.replace("A DATE", a_date()) for name, value in headers.items()}
    error = (await answered(wire, wire.refusal(status, **told))).error
    assert error is not None
    assert error.retry_after is not None
    assert least <= error.retry_after <= most
    assert status != 429 or f"Wait {math.ceil(error.retry_after)} s" in (error.fix or "")


@wires
@pytest.mark.parametrize("told", ["soon", "-1", "", "nan", "1e400"])
async def test_when_to_come_back_is_not_understood(wire: Wire, told: str) -> None:
    error = (await answered(wire, wire.refusal(429, retry_after=told))).error
    assert isinstance(error, RateLimitError)
    assert error.retry_after is None


@wires
async def test_the_server_says_whether_to_come_back(wire: Wire) -> None:
    error = (await answered(wire, wire.refusal(500, x_should_retry="false"))).error
    assert error is not None
    assert not error.retryable


@wires
async def test_no_credit_is_no_rate_limit(wire: Wire) -> None:
    body, status = wire.quota
    answer = wire.refusal(status)
    outcome = await answered(wire, Answer(as_bytes(body), status, content_type=answer.content_type))
    assert type(outcome.error) is QuotaError
    assert not outcome.error.retryable


@wires
async def test_too_long_a_request(wire: Wire) -> None:
    outcome = await answered(wire, Answer(as_bytes(wire.too_long), 400, content_type="application/json"))
    assert type(outcome.error) is ContextLengthExceededError


def as_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


@wires
@pytest.mark.parametrize("body", [b"", b"<html><b>Bad gateway", b"\xff\xfe", b'"No"', b'{"detail": "No"}', b"[1]"])
async def test_refusals_in_every_shape(wire: Wire, body: bytes) -> None:
    outcome = await answered(wire, Answer([body] if body else [], 502, content_type="text/html"))
    assert type(outcome.error) is ServerError


@wires
async def test_a_refusal_that_stalls(wire: Wire) -> None:
    outcome = await answered(wire, Answer(b'{"error"', 503, how="stall"), IMPATIENCE)
    assert isinstance(outcome.error, ServerError | ProviderTimeoutError)


@pytest.mark.slow
@wires
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(wire: Wire, status: int) -> None:
    with LLMServer(wire.handle) as elsewhere:
        headers = {"location": f"{elsewhere.url}/v1/chat/completions"}
        outcome = await answered(wire, Answer([], status, headers))
        assert elsewhere.accepted == 0
    assert type(outcome.error) is ProviderConnectionError
    assert not outcome.error.retryable


@wires
async def test_a_page_for_people(wire: Wire) -> None:
    outcome = await answered(wire, Answer(b"<html>Welcome", content_type="text/html; charset=utf-8"))
    assert type(outcome.error) is ProviderConnectionError


@wires
@pytest.mark.parametrize("packing", ["gzip", "deflate"])
async def test_a_packed_answer(wire: Wire, packing: str) -> None:
    packed = gzip.compress(wire.body) if packing == "gzip" else zlib.compress(wire.body)
    half = len(packed) // 2
    outcome = await answered(wire, Answer([packed[:half], packed[half:]], headers={"content-encoding": packing}))
    assert (outcome.text, outcome.finish, outcome.error) == (TEXT, "stop", None)


@wires
async def test_a_packed_answer_that_is_none(wire: Wire) -> None:
    outcome = await answered(wire, Answer(wire.body, headers={"content-encoding": "gzip"}))
    assert type(outcome.error) is ProviderConnectionError


@wires
@pytest.mark.slow
async def test_a_packed_answer_that_never_ends(wire: Wire) -> None:
    bomb = gzip.compress(b"data: " + bytes(48 * 1024 * 1024))
    outcome = await answered(wire, Answer(bomb, headers={"content-encoding": "gzip"}))
    assert type(outcome.error) is ProviderConnectionError


@pytest.mark.slow
@wires
@pytest.mark.parametrize("read", [0, 1, 4])
async def test_closing_frees_the_connection(wire: Wire, read: int) -> None:
    with LLMServer(Answer(wire.events, pace=0.01, how="stall")) as server:
        async with opened(wire, server.url) as provider:
            stream = provider.stream(Request(model=wire.model, messages=(Message.user("Count."),)))
            for _ in range(read):
                await anext(stream)
            await stream.aclose()
            await asyncio.to_thread(server.wait_open, 0)
            assert provider.metrics().active == provider.metrics().errors == 0


@wires
async def test_a_connection_is_used_again(wire: Wire) -> None:
    with LLMServer(wire.handle) as server:
        async with opened(wire, server.url) as provider:
            for _ in range(3):
                assert (await ask(provider, wire)).error is None
        assert server.accepted == 1


@pytest.mark.slow
@wires
async def test_calls_at_the_same_time_do_not_mix(wire: Wire) -> None:
    def told(received: Received) -> Answer:
        return Answer(wire.events, pace=0.001)

    with LLMServer(told) as server:
        async with opened(wire, server.url) as provider:
            request = Request(model=wire.model, messages=(Message.user("Count."),))
            answers = await asyncio.gather(*(provider.generate(request) for _ in range(25)))
        assert {answer.text for answer in answers} == {TEXT}
