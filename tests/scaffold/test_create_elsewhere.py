"""`sentient create` where much is missing: no home, no terminal, no network but what a proxy lets through."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.scaffold.create_kit import git, shot
from tests.support import commands

_INDEX = "http://packages.invalid/simple/"
"""What no name server knows: only a proxy gets there."""

_NO_HOME = "/proc/nowhere"
"""A directory that is not there, as for many a user of a container, and that not even root can make."""


class _Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy behind which there is an index of packages, made of a folder of wheels."""

    protocol_version = "HTTP/1.1"
    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = urlsplit(self.path).path.strip("/").rpartition("/")[2]
        if name.endswith(".whl"):
            self._send((self.folder / name).read_bytes(), "application/octet-stream")
            return
        wheels = [file.name for file in self.folder.glob("*.whl") if _normal(file.name.partition("-")[0]) == name]
        links = "".join(f'<a href="/files/{wheel}">{wheel}</a>\n' for wheel in wheels)
        self._send(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Nothing is said."""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@contextmanager
def _proxy(folder: Path) -> Generator[tuple[dict[str, str], list[str]]]:
    """The settings that lead installers to it, and what it is asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Proxy,), {"folder": folder, "asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            settings = {"PIP_INDEX_URL": _INDEX, "PIP_NO_CACHE_DIR": "1", "PIP_TRUSTED_HOST": "packages.invalid"}
            settings |= {"UV_DEFAULT_INDEX": _INDEX, "UV_NO_CACHE": "1", "UV_PYTHON_DOWNLOADS": "never"}
            yield {"HTTP_PROXY": url, "http_proxy": url, **settings}, asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
@pytest.mark.story("E20.2")
@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_behind_a_proxy_in_a_container_everything_is_installed(tmp_path: Path, wheelhouse: Path, tool: str) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    if tool == "uv":
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
        if uv is None:
            pytest.skip("there is no uv")
        (tools / "uv").symlink_to(uv)
    with _proxy(wheelhouse) as (settings, asked):
        environment = {"PATH": f"{tools}{os.pathsep}{os.defpath}", "HOME": _NO_HOME, "CI": "true", **settings}
        done = commands.run_text("create", "my-agent", "--yes", "--json", environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    created = json.loads(done.stdout.splitlines()[-1])["created"]
    assert (created["linked"], created["verified"], created["committed"]) == (False, "tests", True)
    assert {urlsplit(path).hostname for path in asked} == {"packages.invalid"}
    assert [path for path in asked if path.endswith(".whl")]


@pytest.mark.story("E20.2")
def test_without_a_home_and_a_terminal() -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": _NO_HOME, "CI": "true"}
    done = commands.run_text("create", "my-agent", "--yes", "--no-install", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr
    assert git(Path("my-agent"), "log", "--format=%an %s") == "sentient Create my-agent from the template basic"
    before = shot(Path.cwd())
    asked = commands.run_text("create", "--no-install", environment=environment)
    assert (asked.returncode, "has no name" in asked.stderr) == (2, True)
    assert shot(Path.cwd()) == before
