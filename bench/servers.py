"""The servers that are compared: each a process of its own on one core, the client on another."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeAlias

from bench.process import cpu_seconds
from bench.reference import ROOT, fast_parts, reference_python

__all__ = ["Kind", "Server", "client_core", "free_port", "spawn", "start"]

Kind: TypeAlias = Literal["ours", "framework", "framework, fast", "raw ASGI"]
"""``framework`` is as pip installs it; ``fast`` has uvloop and httptools, as ours and the raw application have."""

_PROGRAMS = ROOT / "bench" / "programs"
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_HOOK = re.compile(rb"hook saw (\d+) entries")


def _cores() -> tuple[set[int], set[int]]:
    """The server's core, and the client's."""
    every = sorted(os.sched_getaffinity(0) | _initial)
    return {every[0]}, {every[-1]}


_initial = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset({0})


def client_core() -> None:
    """Keep this process off the server's core."""
    os.sched_setaffinity(0, _cores()[1])


@dataclass(slots=True)
class Server:
    """A running server.

    Args:
        kind: Which.
        port: Where it listens on 127.0.0.1.
        process: Its process.
        said: What it writes to stderr.
    """

    kind: Kind
    port: int
    process: subprocess.Popen[bytes]
    said: IO[bytes]

    @property
    def cpu(self) -> float:
        """Seconds of CPU time used so far."""
        return cpu_seconds(self.process.pid)

    def output(self) -> bytes:
        """What it has said so far."""
        self.said.seek(0)
        return self.said.read()

    def hook_entries(self) -> int:
        """What our server's hook says it saw, once the server has ended."""
        found = _HOOK.search(self.output())
        return int(found[1]) if found else 0

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = _STOP_SECONDS) -> int | None:
        """Its exit code, or None when it has not ended in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


@contextlib.contextmanager
def start(
    kind: Kind, *options: str, env: Mapping[str, str] | None = None, agent: str = "agent.py"
) -> Generator[Server]:
    """Run a server on a core of its own until the end of the block.

    Args:
        kind: Which.
        options: More of them for ``sentient serve``.
        env: More of its environment.
        agent: The program with the agent, for ours.

    Raises:
        RuntimeError: it does not come up.
    """
    port = free_port()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as folder:
        command, environment = _command(kind, port, options, agent)
        process = spawn(command, {**environment, **(env or {})}, said, Path(folder))
        server = Server(kind, port, process, said)
        try:
            _await_port(server)
            yield server
        finally:
            _stop(server)


def _command(kind: Kind, port: int, options: Sequence[str], agent: str) -> tuple[list[str], dict[str, str]]:
    if kind == "ours":
        program = [sys.executable, str(_PROGRAMS / "ours.py"), "serve", str(_PROGRAMS / agent)]
        return [*program, "--port", str(port), "--drain-delay", "0", *options], {}
    if kind == "raw ASGI":
        return [sys.executable, str(_PROGRAMS / "raw.py"), str(port)], {}
    command = [str(reference_python()), str(_PROGRAMS / "framework.py"), str(port)]
    return command, {"PYTHONPATH": str(fast_parts())} if kind == "framework, fast" else {}


def spawn(
    command: Sequence[str],
    env: Mapping[str, str],
    said: IO[bytes],
    folder: Path,
    *,
    output: int | IO[bytes] = subprocess.DEVNULL,
    group: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process on the server's core.

    Args:
        command: What is run.
        env: More of its environment; of ours, what steers Python and the settings is left out.
        said: Takes its standard error.
        folder: Where it runs.
        output: Takes its standard output.
        group: Whether it leads a group of its own, as a shell gives to each command.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SENTIENT_", "PYTHONPATH"))}
    server_core, _ = _cores()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, server_core)  # inherited, so no moment of the server's life is spent elsewhere
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=said,
            env={**clean, **env},
            cwd=folder,
            start_new_session=group,
        )
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        _, port = listener.getsockname()
    return int(port)


def _await_port(server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        if _answers(server.port):
            return
        time.sleep(0.02)
    raise RuntimeError(f"The server {server.kind!r} does not come up:\n{server.output().decode(errors='replace')}")


def _answers(port: int) -> bool:
    # A listening socket alone tells nothing: ours listens before it imports the agent.
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=_START_SECONDS) as peer:
        peer.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return peer.recv(9).startswith(b"HTTP/1.1")
    return False


def _stop(server: Server) -> None:
    if server.process.poll() is None:
        server.terminate()
        if server.wait() is None:
            server.process.kill()
            server.process.wait()
