"""A page in a browser can reach a server on localhost: Host, Origin and token are looked at on every route."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple, cast

import pytest

from sentient_cli.host import Host
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.server.app import create_app
from sentient_cli.server.routing import Route, Router
from tests.support.served import Served, serve
from tests.support.wire import JSON_BODY, Answer, Wire, as_object, ask_all, fetch, fetch_json, question

pytestmark = pytest.mark.story("14.8", "F9")

_TOKEN = "a-long-and-secret-token-4711"
_FRONT = "http://localhost:3000"


class Door(NamedTuple):
    """A way in."""

    method: str
    path: str


# Pytest needs them before a server runs; the first test proves that there are no others.
DOORS = [
    Door("POST", "/assist"),
    Door("GET", "/runs/{run_id}"),
    Door("GET", "/runs/{run_id}/events"),
    Door("POST", "/runs/{run_id}/cancel"),
    Door("GET", "/health"),
    Door("GET", "/health/live"),
    Door("GET", "/health/ready"),
    Door("GET", "/health/startup"),
    Door("GET", "/openapi.json"),
]
PROBES = {"/health/live", "/health/ready", "/health/startup"}
every_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a token, and with a front end and a name that may call."""
    flags = ["--allow-origin", _FRONT, "--allow-host", "agent.example", "--drain-delay", 0]
    env = {"SENTIENT_SERVER_TOKEN": _TOKEN}
    with serve(tmp_path_factory.mktemp("home"), *flags, env=env) as served:
        yield served


def knock(server: Served, door: Door, headers: dict[str, str]) -> tuple[Answer, bytes]:
    body = question("echo x") if door.path == "/assist" else None
    return fetch(server.address, door.path.format(run_id="0" * 32), door.method, {**JSON_BODY, **headers}, body)


def code_of(body: bytes) -> object:
    return cast("dict[str, object]", json.loads(body))["code"]


async def _silent(session: Session, query: Query, response: Response) -> None:
    pass


def test_these_are_all_doors(server: Served) -> None:
    paths = fetch_json(server.address, "/openapi.json")[1]["paths"]
    told = {Door(method.upper(), path) for path, methods in as_object(paths).items() for method in as_object(methods)}
    assert told == set(DOORS)
    routes = _routes(create_app(Host(FunctionAgent(_silent))))
    assert {Door(route.method, route.path) for route in routes} == told


def _routes(app: object) -> list[Route]:
    """The routes of the router somewhere inside an application."""
    seen: set[int] = set()
    waiting = [app]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, Router):
            return list(thing.routes)
        if id(thing) not in seen:
            seen.add(id(thing))
            cells = cast("tuple[object, ...]", getattr(thing, "__closure__", None) or ())
            waiting += [cast("object", getattr(cell, "cell_contents", None)) for cell in cells]
            waiting += list(cast("dict[str, object]", getattr(thing, "__dict__", {})).values())
    raise AssertionError("no router in the application")


@pytest.mark.slow
@every_door
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "[::2]"])
def test_a_foreign_host_is_refused(server: Served, door: Door, host: str) -> None:
    answer, body = knock(server, door, {"Host": host})
    assert (answer.status, code_of(body)) == (403, "host-not-allowed")
    assert "access-control-allow-origin" not in answer.headers


@every_door
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1.evil.example"]
)
def test_a_foreign_origin_is_refused(server: Served, door: Door, origin: str) -> None:
    answer, body = knock(server, door, {"Origin": origin})
    assert (answer.status, code_of(body)) == (403, "origin-not-allowed")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.slow
@every_door
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_is_refused(server: Served, door: Door, site: str) -> None:
    answer, body = knock(server, door, {"Sec-Fetch-Site": site})
    assert (answer.status, code_of(body)) == (403, "origin-not-allowed")


@pytest.mark.parametrize("path", ["/nowhere", "/", "/docs"])
def test_a_door_that_is_not_there_tells_nothing_either(server: Served, path: str) -> None:
    answer, body = fetch(server.address, path, headers={"Host": "evil.example"})
    assert (answer.status, code_of(body)) == (403, "host-not-allowed")


@pytest.mark.slow
@every_door
def test_what_every_answer_says(server: Served, door: Door) -> None:
    answer, _ = knock(server, door, {})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:80", "localhost."])
def test_the_names_of_this_machine_are_taken(server: Served, host: str) -> None:
    assert fetch(server.address, "/health", headers={"Host": host})[0].status == 200


def test_the_servers_own_origin_may_call(server: Served) -> None:
    host = f"localhost:{server.port}"
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert fetch(server.address, "/health", headers=headers)[0].status == 200


def test_a_request_without_a_host(server: Served) -> None:
    with Wire(server.address) as wire:
        wire.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert wire.answer().status in {400, 403}


def test_two_hosts_are_no_way_around(server: Served) -> None:
    for first, second in (("127.0.0.1", "evil.example"), ("evil.example", "127.0.0.1")):
        with Wire(server.address) as wire:
            wire.send(f"GET /health HTTP/1.1\r\nHost: {first}\r\nHost: {second}\r\n\r\n".encode())
            assert wire.answer().status in {400, 403}


@pytest.mark.parametrize("name", ["Origin", "Authorization"])
def test_two_of_a_header_are_no_way_around(opened: Served, name: str) -> None:
    good, evil = {"Origin": (_FRONT, "https://evil.example")}.get(name, (f"Bearer {_TOKEN}", "Bearer x"))
    more = "" if name == "Authorization" else f"Authorization: Bearer {_TOKEN}\r\n"
    for first, second in ((good, evil), (evil, good)):
        with Wire(opened.address) as wire:
            lines = f"GET /health HTTP/1.1\r\nHost: localhost\r\n{more}{name}: {first}\r\n{name}: {second}\r\n\r\n"
            wire.send(lines.encode())
            assert wire.answer().status in {400, 401, 403}


@pytest.mark.story("E11.3")
@every_door
def test_a_token_is_needed(opened: Served, door: Door) -> None:
    for given in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {_TOKEN}"}, {"Authorization": _TOKEN}):
        answer, body = knock(opened, door, given)
        if door.path in PROBES:
            assert answer.status == 200
        else:
            assert (answer.status, code_of(body)) == (401, "token-required")
            assert answer.headers["www-authenticate"].startswith("Bearer")


@every_door
def test_with_the_token_every_door_opens(opened: Served, door: Door) -> None:
    answer, _ = knock(opened, door, {"Authorization": f"Bearer {_TOKEN}"})
    assert answer.status in {200, 404}


@pytest.mark.slow
@every_door
def test_an_allowed_origin_may_call_and_read(opened: Served, door: Door) -> None:
    headers = {"Origin": _FRONT, "Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {_TOKEN}"}
    answer, _ = knock(opened, door, headers)
    assert answer.status in {200, 404}
    assert answer.headers["access-control-allow-origin"] == _FRONT
    assert answer.headers["vary"].lower() == "origin"
    assert "access-control-allow-credentials" not in answer.headers


@every_door
def test_a_browser_that_asks_first_needs_no_token(opened: Served, door: Door) -> None:
    headers = {"Origin": _FRONT, "Access-Control-Request-Method": door.method}
    answer, body = fetch(opened.address, door.path, "OPTIONS", headers)
    assert (answer.status, body) == (204, b"")
    assert door.method in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"content-type", "last-event-id", "authorization"} <= {name.strip() for name in allowed.split(",")}


def test_a_browser_of_another_site_that_asks_first_is_refused(opened: Served) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert fetch(opened.address, "/assist", "OPTIONS", headers)[0].status == 403


def test_an_allowed_host_is_taken_and_others_are_not(opened: Served) -> None:
    token = {"Authorization": f"Bearer {_TOKEN}"}
    assert fetch(opened.address, "/health", headers={**token, "Host": "agent.example:80"})[0].status == 200
    assert fetch(opened.address, "/health", headers={**token, "Host": "sub.agent.example"})[0].status == 403


def test_a_token_is_in_no_log(opened: Served) -> None:
    for value in (_TOKEN, f"{_TOKEN}x"):
        fetch(opened.address, f"/health?token={value}", headers={"Authorization": f"Bearer {value}"})
    fetch(opened.address, f"/{_TOKEN}", headers={"Authorization": f"Bearer {_TOKEN}"})
    opened.wait_line('"status":404')
    assert _TOKEN not in "\n".join(opened.lines)


def test_the_document_says_that_a_token_is_needed(opened: Served, server: Served) -> None:
    token = {"Authorization": f"Bearer {_TOKEN}"}
    assert fetch_json(opened.address, "/openapi.json", headers=token)[1]["security"] == [{"token": []}]
    assert "security" not in fetch_json(server.address, "/openapi.json")[1]


def test_a_question_with_everything_right(opened: Served) -> None:
    headers = {**JSON_BODY, "Origin": _FRONT, "Authorization": f"bearer {_TOKEN}"}
    with Wire(opened.address) as wire:
        answer = wire.request("POST", "/assist", headers, question("echo x"))
        assert [frame.event for frame in answer.frames()] == ["ANSWER", "done"]
        assert "Sentient-Run-Id" in answer.headers["access-control-expose-headers"]


def test_a_page_cannot_post_a_form(server: Served) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert fetch(server.address, "/assist", "POST", {"Content-Type": kind}, question("x"))[0].status == 415
    assert ask_all(server.address, "echo x")
