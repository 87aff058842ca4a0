"""How the page is sent: whole, cached, and under rules that a browser enforces."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from sentient_cli.host import Host
from sentient_cli.server.app import create_app
from sentient_cli.server.page.routes import page_routes
from tests.page.page_agent import PageAgent
from tests.page.page_stub import Stub

_STATIC = Path(str(files("sentient_cli.server.page") / "static"))
_HERE = Path(__file__).parent


@pytest.fixture
def app() -> ASGIApp:
    return create_app(Host(PageAgent()), more_routes=page_routes())


def _client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8000")


@pytest.mark.story("20.5")
def test_the_page_is_served_at_the_root(stub: Stub) -> None:
    answer = httpx.get(stub.url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>sentient dev</title>" in answer.text


async def test_only_what_is_served_here_may_run(app: ASGIApp) -> None:
    async with _client(app) as client:
        answer = await client.get("/")
    rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers["referrer-policy"] == "no-referrer"


def _there() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in _STATIC.iterdir()}


async def test_every_file_has_its_kind_and_is_sent_anew_only_when_it_changed(app: ASGIApp) -> None:
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "html": "text/html"}
    async with _client(app) as client:
        for name, content in _there().items():
            path = f"/_sentient/page/{name}"
            answer = await client.get(path)
            assert answer.content == content
            assert answer.headers["content-type"].split(";")[0] == kinds[name.rpartition(".")[2]]
            assert answer.headers["cache-control"] == "no-cache"
            etag = answer.headers["etag"]
            for known in (etag, f'"other", W/{etag}', "*"):
                again = await client.get(path, headers={"If-None-Match": known})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
            assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
            head = await client.head(path)
            assert (head.content, head.headers["content-length"]) == (b"", str(len(content)))


async def test_nothing_else_is_sent(app: ASGIApp) -> None:
    async with _client(app) as client:
        for path in (
            "routes.py",
            "__init__.py",
            "..%2Froutes.py",
            "..%2f..%2fapp.py",
            "%00",
            "app.js%2f",
            "static",
            "",
        ):
            assert (await client.get(f"/_sentient/page/{path}")).status_code == 404, path
        assert (await client.post("/")).status_code == 405


async def test_a_page_of_another_origin_cannot_read_it(app: ASGIApp) -> None:
    async with _client(app) as client:
        assert (await client.get("/", headers={"Host": "evil.example"})).status_code == 403
        assert (await client.get("/", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403


def test_every_file_that_is_named_is_there_and_none_comes_from_elsewhere() -> None:
    there = {file.name for file in _STATIC.iterdir()}
    for file in _STATIC.iterdir():
        text = file.read_text("utf-8")
        named = set(re.findall(r"/_sentient/page/([\w.]+)", text)) | set(re.findall(r'from "\./([\w.]+)"', text))
        assert named <= there
        foreign = set(re.findall(r"https?://[\w.-]+\.\w+", text))
        assert foreign <= {"http://www.w3.org", "https://github.com", "https://html.spec.whatwg.org"}, file.name
    named = {
        name for file in _STATIC.iterdir() for name in re.findall(r'["/]([\w]+\.(?:js|css|svg))"', file.read_text())
    }
    assert there - named == {"index.html"}


def test_no_text_becomes_an_element() -> None:
    page = (_STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]*\ssrc=)", page)
    for file in _STATIC.glob("*.js"):
        dangerous = (
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc|setHTML"
        )
        assert not re.search(dangerous, file.read_text("utf-8")), file.name


def test_files_stay_short() -> None:
    assert [file.name for file in _STATIC.iterdir() if file.read_text("utf-8").count("\n") > 420] == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node; the browser's tests run these too")
def test_the_modules_do_what_they_should(tmp_path: Path) -> None:
    # Outside of a package node takes files that end in .js for something older.
    (tmp_path / "page").mkdir()
    for file in _STATIC.glob("*.js"):
        shutil.copy(file, tmp_path / "page")
    for name in ("page_unit.js", "page_unit_node.mjs"):
        shutil.copy(_HERE / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    command = ["node", str(tmp_path / "page_unit_node.mjs"), str(tmp_path / "page"), str(tmp_path / "page_unit.js")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.fullmatch(r'\{"passed":\d\d,"failed":\[\]\}', done.stdout.strip()), done.stdout
