"""Requests that are wrong in every way that there is: each gets a plain answer, and none harms the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import Served, serve
from tests.support.wire import (
    JSON_BODY,
    QUERY_ID,
    REQUEST_ID,
    Wire,
    as_list,
    as_object,
    ask,
    ask_all,
    dig,
    fetch,
    fetch_json,
    head,
    interaction,
    question,
    session,
)

pytestmark = pytest.mark.story("14.8", "9.5", "9.6")

_LEAKS = re.compile(rb"Traceback|File \"|\.py\b|/home|/tmp|/usr|site-packages|pydantic|msgspec|uvicorn|starlette")
_TIMES = {"SENTIENT_SERVER_HEADER_TIMEOUT": "0.3", "SENTIENT_SERVER_BODY_TIMEOUT": "0.3"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with small limits."""
    env = {**_TIMES, "SENTIENT_SERVER_BODY_LIMIT": "2000", "SENTIENT_SERVER_DRAIN_DELAY": "0"}
    with serve(tmp_path_factory.mktemp("home"), env=env) as served:
        yield served


def post(server: Served, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, dict[str, object]]:
    answer, data = fetch(server.address, "/assist", "POST", {**JSON_BODY, **(headers or {})}, body)
    assert answer.headers["content-type"] == "application/json"
    assert not _LEAKS.search(data), data
    assert len(data) < 40_000
    value: dict[str, object] = json.loads(data)
    return answer.status, value


_Q = {"id": QUERY_ID, "prompt": "x"}
_S = session()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", ["body"]),
        (b"{", ["body"]),
        (b"nonsense", ["body"]),
        (b"\xff\xfe", ["body"]),
        (b'{"query": "\xed\xa0\x80"}', ["body"]),
        (b"[" * 100_000, ["body"]),
        (b"null", ["body"]),
        (b"[]", ["body"]),
        (b'"x"', ["body"]),
        ({}, ["body", "query"]),
        ({"query": None}, ["body", "query"]),
        ({"query": {"id": QUERY_ID}}, ["body", "query", "prompt"]),
        ({"query": {**_Q, "prompt": 3}}, ["body", "query", "prompt"]),
        ({"query": {**_Q, "id": "nonsense"}}, ["body", "query", "id"]),
        ({"query": {**_Q, "id": "8" + "0" * 25}}, ["body", "query", "id"]),
        ({"query": {**_Q, "id": "01JS4F4Z5VILOU00000000000I"}}, ["body", "query", "id"]),
        ({"query": {**_Q, "id": 1}}, ["body", "query", "id"]),
        ({"query": _Q, "session": []}, ["body", "session"]),
        ({"query": _Q, "session": {}}, ["body", "session", "processor_id"]),
        ({"query": _Q, "session": {**_S, "activity_id": "x"}}, ["body", "session", "activity_id"]),
        ({"query": _Q, "session": {**_S, "request_id": None}}, ["body", "session", "request_id"]),
        ({"query": _Q, "session": {**_S, "interactions": {}}}, ["body", "session", "interactions"]),
        ({"query": _Q, "session": session([1])}, ["body", "session", "interactions", 0]),
        (
            {"query": _Q, "session": session([interaction("p", parent_request_id=QUERY_ID)])},
            ["body", "session", "interactions", 0, "request", "event"],
        ),
    ],
)
def test_a_wrong_body_is_told_where_it_is_wrong(server: Served, body: object, place: list[str | int]) -> None:
    status, answer = post(server, body if isinstance(body, bytes) else json.dumps(body).encode())
    assert status == 422
    fault = as_object(dig(answer, "detail", 0))
    assert set(fault) == {"type", "loc", "msg", "input"}
    assert fault["loc"] == place or (place == ["body"] and dig(fault, "loc", 0) == "body")


def test_a_wrong_body_is_not_echoed_at_length(server: Served) -> None:
    prompts = [{"query": {"id": "x" * 100_000, "prompt": ["y" * 100_000]}}, {"query": {"id": "x" * 100_000}}]
    for body in prompts:
        status, _ = post(server, json.dumps(body).encode())
        assert status == 422


def test_a_thousand_faults_are_not_all_told(server: Served) -> None:
    status, answer = post(server, json.dumps({"query": _Q, "session": session([1] * 1000)}).encode())
    assert status == 422
    assert 1 <= len(as_list(answer["detail"])) <= 100


def test_unknown_fields_are_passed_over(server: Served) -> None:
    body = {"query": {**_Q, "prompt": "echo x", "mood": 1}, "session": {**_S, "colour": [1]}, "version": "9"}
    answer, data = fetch(server.address, "/assist", "POST", JSON_BODY, json.dumps(body).encode())
    assert answer.status == 200
    assert b'"content":"x"' in data


def test_a_prompt_with_anything_in_it_comes_back_as_it_was(server: Served) -> None:
    prompt = "echo \x00\x1b]0;x\x07\u2028\ufeff" + "\U0010ffff" * 3
    assert ask_all(server.address, prompt)[0].content == prompt.removeprefix("echo ")


@pytest.mark.slow
def test_ten_thousand_interactions(server: Served) -> None:
    event = {"content_type": "atomic.textblock", "event_name": "A", "id": REQUEST_ID, "source": "s", "content": "t"}
    frames = ask_all(server.address, "turns", session([interaction("p", [event])] * 10_000))
    turns = as_list(dig(frames[0].json, "content", "turns"))
    assert len(turns) == 10_000
    assert turns[-1] == ["p", "t"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "json"])
def test_only_json_is_taken(server: Served, kind: str) -> None:
    status, answer = post(server, question("echo x"), {"Content-Type": kind})
    assert (status, answer["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(("coding", "expected"), [("gzip", 415), ("br", 415), ("identity", 200), ("Identity", 200)])
def test_a_compressed_body_is_refused_as_such(server: Served, coding: str, expected: int) -> None:
    """RFC 9110, 12.5.3: which codings would be taken is said."""
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    answer, body = fetch(server.address, "/assist", "POST", headers, question("echo x"))
    assert answer.status == expected
    if expected == 415:
        assert answer.headers["accept-encoding"] == "identity"
        assert json.loads(body)["detail"] == "The body has to come as it is, not compressed"


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_written_otherwise(server: Served, kind: str) -> None:
    answer, _ = fetch(server.address, "/assist", "POST", {"Content-Type": kind}, question("echo x"))
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/assist", "POST"),
        ("PUT", "/assist", "POST"),
        ("DELETE", "/runs/x", "GET, HEAD"),
        ("POST", "/runs/x/events", "GET, HEAD"),
        ("GET", "/runs/x/cancel", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("TRACE", "/health", "GET, HEAD"),
    ],
)
def test_a_wrong_method(server: Served, method: str, path: str, allowed: str) -> None:
    with Wire(server.address) as wire:
        answer = wire.request(method, path, JSON_BODY)
        assert answer.status == 405
        assert sorted(answer.headers["allow"].split(", ")) == sorted(allowed.split(", "))
        assert answer.json() == {"detail": "Method Not Allowed", "code": "method-not-allowed"}


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/assist/", "//assist", "/assist%00", "/runs/", "/docs", "/_sentient/entries", "/..%2fx"]
)
def test_a_path_that_is_not_there(server: Served, path: str) -> None:
    status, answer = fetch_json(server.address, path)
    assert (status, answer["code"]) == (404, "not-found")


@pytest.mark.slow
@pytest.mark.parametrize(
    "run_id", ["x", "0" * 32, "0" * 32 + "-1", "a" * 3000, "%2e%2e", "..%5cx", "%F0%9F%98%80", "%00"]
)
def test_a_run_that_is_not_there(server: Served, run_id: str) -> None:
    for method, end in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
        status, answer = fetch_json(server.address, f"/runs/{run_id}{end}", method)
        assert (status, answer["code"]) == (404, "run-not-found")


def test_a_body_that_says_it_is_too_large_is_not_read(strict: Served) -> None:
    with Wire(strict.address) as wire:
        answer = wire.request("POST", "/assist", {**JSON_BODY, "Content-Length": "2001"})
        assert answer.status == 413
        assert answer.json()["code"] == "body-too-large"
        assert answer.headers["connection"] == "close"
        assert wire.rest() == b""


def test_a_body_that_grows_too_large_is_not_read_on(strict: Served) -> None:
    with Wire(strict.address) as wire:
        wire.send(head("POST", "/assist", {**JSON_BODY, "Transfer-Encoding": "chunked"}))
        wire.send(b"3e8\r\n" + b" " * 1000 + b"\r\n")
        wire.send(b"3e9\r\n" + b" " * 1001 + b"\r\n")
        answer = wire.answer()
        assert (answer.status, answer.json()["code"]) == (413, "body-too-large")


def test_a_body_of_just_the_size_is_taken(strict: Served) -> None:
    body = question("echo x")
    answer, _ = fetch(strict.address, "/assist", "POST", JSON_BODY, body + b" " * (2000 - len(body)))
    assert answer.status == 200


def test_a_body_that_does_not_come(strict: Served) -> None:
    with Wire(strict.address) as wire:
        wire.send(head("POST", "/assist", {**JSON_BODY, "Content-Length": "100"}) + b'{"query"')
        answer = wire.answer()
        assert (answer.status, answer.json()["code"]) == (408, "body-too-slow")
        wire.rest()


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-"])
def test_headers_that_do_not_come(strict: Served, sent: bytes) -> None:
    with Wire(strict.address) as wire:
        wire.send(sent)
        assert wire.rest().startswith(b"HTTP/1.1 408 ")


def test_the_headers_of_a_later_request_that_do_not_come(strict: Served) -> None:
    with Wire(strict.address) as wire:
        assert wire.request("GET", "/health").read()
        wire.send(b"GET /hea")
        assert wire.rest().startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nA B: c\r\n\r\n",
        b"POST /assist HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /assist HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /assist HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http(server: Served, sent: bytes) -> None:
    with Wire(server.address) as wire:
        wire.send(sent)
        answer = wire.rest()
    assert re.match(rb"HTTP/1.1 4\d\d ", answer)
    assert not _LEAKS.search(answer)


@pytest.mark.parametrize("size", [70_000, 1_000_000])
def test_a_header_without_end(server: Served, size: int) -> None:
    with Wire(server.address) as wire:
        try:
            wire.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * size + b"\r\n\r\n")
            answer = wire.rest()
        except ConnectionError:
            answer = b"HTTP/1.1 431 "
    assert re.match(rb"HTTP/1.1 4(00|31|13) ", answer), answer[:100]


@pytest.mark.parametrize("cut", range(0, 260, 20))
def test_a_client_that_leaves_at_any_point(server: Served, cut: int) -> None:
    request = head("POST", "/assist", JSON_BODY, question("echo x")) + question("echo x")
    since = len(server.lines)
    with Wire(server.address) as wire:
        wire.send(request[:cut])
    assert ask_all(server.address, "echo alive")[0].content == "alive"
    assert [line for line in server.lines[since:] if '"level":"error"' in line] == []


def test_a_server_at_its_limit_says_so(tmp_path: Path) -> None:
    env = {"SENTIENT_SERVER_MAX_RUNS": "1", "SENTIENT_SERVER_DRAIN_DELAY": "0"}
    with serve(tmp_path, env=env) as server, Wire(server.address) as busy:
        assert next(ask(busy, "never").frames()).event == "OPEN"
        answer, data = fetch(server.address, "/assist", "POST", JSON_BODY, question("echo x"))
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert json.loads(data)["code"] == "overloaded"
