"""``make demo``: serve the example agent on the offline model, ask it over HTTP, show the events, end."""

from __future__ import annotations

import json
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
PACE = "docs/examples/pace.toml"
QUESTION = "What is 15% of 80?"
_HERE = ".venv/bin"
_START = 60.0
"""Seconds that the server gets to answer its readiness check."""
_STOP = 30.0
"""Seconds that the server gets to drain."""


def _sentient() -> str:
    return str(Path(sys.executable).parent / "sentient")


def free_port(wanted: int = 8000) -> int:
    """The wanted port of 127.0.0.1, or another one when somebody has it."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
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
    command = [_sentient(), "serve", AGENT, "--script", PACE, "--port", str(port)]
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


def _say(command: str) -> None:
    print(f"\033[1;32m$\033[0m \033[1m{command}\033[0m" if sys.stdout.isatty() else f"$ {command}", flush=True)


def _start(*arguments: str, output: int | None = None) -> subprocess.Popen[str]:
    command = [_sentient(), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, text=True)


def event_line(line: str) -> str:
    """One event as one short line: its type, its name and its content.

    >>> event_line('{"content_type": "atomic.textblock", "event_name": "PLAN", "content": "Think."}')
    'atomic.textblock  PLAN            "Think."'
    """
    event = json.loads(line)
    content = json.dumps(event.get("content", ""), ensure_ascii=False)
    return f"{event['content_type']:<17} {event['event_name']:<15} {content}"


def _events(url: str) -> int:
    """Ask, and show each event the moment it arrives; ids and metadata are left out."""
    with _start("chat", url, "-m", QUESTION, "--json", output=subprocess.PIPE) as process:
        for line in process.stdout or ():
            print(event_line(line), flush=True)
    return process.returncode


def _answer(url: str) -> int:
    """Ask, and show what a user sees."""
    with _start("chat", url, "-m", QUESTION) as process:
        return process.wait()


def main() -> int:
    """Run the demo; the exit code of the first part that failed, else 0."""
    log = ROOT / ".cache" / "demo.log"
    log.parent.mkdir(exist_ok=True)
    port = free_port()
    _say(f"sentient serve {AGENT} --script {PACE} --port {port} &")
    with served(port, log) as url:
        print(f"{url}/health/ready answers 200\n")
        _say(f'sentient chat {url} -m "{QUESTION}" --json')
        failed = _events(url)
        print()
        _say(f'sentient chat {url} -m "{QUESTION}"')
        failed = _answer(url) or failed
    print(
        f"\nThe server has drained and ended. To do it yourself, in two terminals:\n\n  {_HERE}/sentient serve {AGENT}"
    )
    print(f"  {_HERE}/sentient chat")
    return failed


if __name__ == "__main__":
    sys.exit(main())
