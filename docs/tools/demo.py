"""``make demo``: serve the example agent on the offline model, ask it over HTTP, show the events, end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AGENT = "docs/examples/assistant.py"
QUESTION = "What is 12 * 34? And what are you?"
_START = 60.0
"""Seconds that the server gets to answer its readiness check."""
_STOP = 30.0
"""Seconds that the server gets to drain."""


def _sentient() -> str:
    return str(Path(sys.executable).parent / "sentient")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=1) as answer:  # noqa: S310 our own loopback
            return bool(answer.status == 200)  # noqa: PLR2004 OK
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def served(port: int, log: Path) -> Generator[str]:
    """The example agent's URL while it is served; its log goes into a file, and is shown when it does not start."""
    command = [_sentient(), "serve", AGENT, "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as sink, subprocess.Popen(command, cwd=ROOT, stdout=sink, stderr=sink) as process:
        try:
            deadline = time.monotonic() + _START
            while not _is_ready(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text("utf-8", "replace"))
                time.sleep(0.05)
            yield url
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(_STOP)


def _show(*arguments: str) -> int:
    """Run a command in front of the reader."""
    print(f"\n\033[1m$ sentient {subprocess.list2cmdline(arguments)}\033[0m" if sys.stdout.isatty() else
          f"\n$ sentient {subprocess.list2cmdline(arguments)}", flush=True)  # fmt: skip
    return subprocess.run([_sentient(), *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode


def main() -> int:
    """Run the demo; the exit code of the first part that failed, else 0."""
    log = ROOT / ".cache" / "demo.log"
    log.parent.mkdir(exist_ok=True)
    port = int(os.environ.get("DEMO_PORT") or free_port())
    print(f"$ sentient serve {AGENT} --port {port} &", flush=True)
    with served(port, log) as url:
        print(f"serving on {url}, answering {url}/health/ready with 200")
        failed = _show("chat", url, "-m", QUESTION, "--json") or _show("chat", url, "-m", QUESTION)
    print("\nThe server has drained and ended. Now try it yourself:\n")
    print(f"  .venv/bin/sentient serve {AGENT}\n  .venv/bin/sentient chat")
    return failed


if __name__ == "__main__":
    sys.exit(main())
