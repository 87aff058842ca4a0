"""A package index of this machine that breaks off in the middle of what it sends, or lets nobody in."""

from __future__ import annotations

import contextlib
import http.server
import io
import threading
import zipfile
from collections.abc import Generator
from typing import Literal

__all__ = ["Cut", "cut_index"]

Cut = Literal["page", "file", "refused"]
_SIZE = 1_000_000


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cut: Cut = "file"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.cut == "refused":
            self.send_error(403)
            return
        name = self.path.strip("/").rpartition("/")[2]
        if name.endswith(".whl"):
            self._send(_half_a_wheel(), "application/octet-stream", _SIZE)
        else:
            file = f"{name.replace('-', '_')}-99.0-py3-none-any.whl"
            page = f'<!DOCTYPE html><html><body><a href="/files/{file}">{file}</a></body></html>'.encode()
            self._send(page, "text/html", _SIZE if self.cut == "page" else len(page))

    def _send(self, content: bytes, kind: str, size: int) -> None:
        """Send it as the beginning of so many bytes, and leave."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Nothing is said."""


def _half_a_wheel() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr("module.py", bytes(_SIZE))
    return packed.getvalue()[: _SIZE // 10]


@contextlib.contextmanager
def cut_index(cut: Cut) -> Generator[dict[str, str]]:
    """Serve it; the settings with which pip and uv ask nobody else."""
    handler = type("Handler", (_Handler,), {"cut": cut})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/simple"
            own = {"PIP_INDEX_URL": url, "PIP_FIND_LINKS": "", "PIP_NO_CACHE_DIR": "1", "PIP_RESUME_RETRIES": "0"}
            own |= {"UV_DEFAULT_INDEX": url, "UV_FIND_LINKS": "", "UV_NO_CACHE": "1", "NO_PROXY": "127.0.0.1"}
            yield {**own, "PIP_CONFIG_FILE": "/dev/null", "PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}
        finally:
            server.shutdown()
            thread.join()
