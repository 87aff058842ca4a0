"""``make demo``: create a project, serve it with ``sentient dev``, ask it, edit it, ask again, end."""

from __future__ import annotations

import json
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".cache" / "demo"
PROJECT = "demo-agent"
QUESTION = "What is 15% of 80?"
BEFORE = "    try:\n        await response.stream_llm("
ADDED = '    await response.text_block("PLAN", "A sum: the model knows that.")\n'
_HERE = ".venv/bin"
_RUN = "events  first"
_PATIENCE = 60.0
"""Seconds that the server gets to answer, and to load a change."""


def sentient() -> str:
    """The program of this environment."""
    return str(Path(sys.executable).parent / "sentient")


def free_port(wanted: int = 8000) -> int:
    """The wanted port of 127.0.0.1, or another one when somebody has it."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Developing:
    """``sentient dev`` at work.

    Args:
        process: It, with standard error as a pipe.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stderr or ():
            self._said.put(line.rstrip())

    def show(self, words: str) -> None:
        """Show what it has said since, up to the line with these words; lines that are empty at first are left out.

        Raises:
            RuntimeError: it does not say them.
        """
        line = ""
        shown = False
        while words not in line:
            try:
                line = self._said.get(timeout=_PATIENCE)
            except queue.Empty:
                raise RuntimeError(f"`sentient dev` did not say {words!r}") from None
            shown = shown or bool(line)
            if shown:
                print(line, flush=True)


@contextmanager
def developing(project: Path, port: int) -> Generator[Developing]:
    """The project, served while it is edited."""
    command = [sentient(), "dev", "--port", str(port)]
    with subprocess.Popen(command, cwd=project, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            server = Developing(process)
            server.show("Python ")
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_PATIENCE)


def _say(command: str) -> None:
    print(f"\033[1;32m$\033[0m \033[1m{command}\033[0m" if sys.stdout.isatty() else f"$ {command}", flush=True)


def _start(*arguments: str, cwd: Path, output: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen([sentient(), *arguments], cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, text=True)


def event_line(line: str) -> str:
    """One event as one short line: its type, its name and its content.

    >>> event_line('{"content_type": "atomic.textblock", "event_name": "PLAN", "content": "Think."}')
    'atomic.textblock  PLAN            "Think."'
    """
    event = json.loads(line)
    content = json.dumps(event.get("content", ""), ensure_ascii=False)
    return f"{event['content_type']:<17} {event['event_name']:<15} {content}"


def _create() -> int:
    """Make the project anew; its packages are those of this environment."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    with _start("create", PROJECT, "--yes", "--no-install", "--no-git", "-q", cwd=PLACE) as process:
        return process.wait()


def _events(project: Path, url: str) -> int:
    """Ask, and show each event the moment it arrives; ids and metadata are left out."""
    with _start("chat", url, "-m", QUESTION, "--json", cwd=project, output=subprocess.PIPE) as process:
        for line in process.stdout or ():
            print(event_line(line), flush=True)
    return process.returncode


def _edit(project: Path) -> None:
    """Have the agent say what it is about to do."""
    file = next(project.glob("src/*/agent.py"))
    text = file.read_text("utf-8")
    if BEFORE not in text:
        raise RuntimeError(f"{file} is not as it was made")
    file.write_text(text.replace(BEFORE, ADDED + BEFORE), "utf-8")
    print(f"{file.relative_to(project)}\n  + {ADDED.strip()}", flush=True)


def main() -> int:
    """Run the demo; the exit code of the first part that failed, else 0."""
    _say(f"sentient create {PROJECT} --yes")
    failed = _create()
    project = PLACE / PROJECT
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    print(f"{PLACE.relative_to(ROOT) / PROJECT} is made\n")
    _say(f"cd {PROJECT} && sentient dev --port {port} &")
    print()
    with developing(project, port) as server:
        print()
        _say(f'sentient chat -m "{QUESTION}" --json')
        failed = _events(project, url) or failed
        server.show(_RUN)
        print()
        _say("edit the agent: a save is live, and no stream breaks")
        _edit(project)
        server.show("reloaded")
        print()
        _say(f'sentient chat -m "{QUESTION}" --json')
        failed = _events(project, url) or failed
        server.show(_RUN)
    print(f"\nTo do it yourself:\n\n  . {_HERE}/activate\n  sentient create my-agent\n  cd my-agent\n  sentient dev")
    return failed


if __name__ == "__main__":
    sys.exit(main())
