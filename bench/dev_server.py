"""One of the compared tools as a process, with a project of its own whose agent is saved again and again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from bench.dev_tools import Tool
from bench.peers import peer_python
from bench.process import cpu_seconds, tree
from bench.servers import free_port, spawn

__all__ = ["Developed", "launch", "told"]

_PATIENCE: Final = 60.0
_AGAIN: Final = 0.001
_LOOK_EVERY: Final = 0.01
_STOP_SECONDS: Final = 10.0


@dataclass(slots=True)
class Developed:
    """A tool that serves a project.

    Args:
        tool: Which.
        port: Where it listens on 127.0.0.1.
        process: Its process, which leads a group of its own.
        project: The directory.
        output: What it writes to stdout.
        said: What it writes to stderr.
        imports: What the agent imports.
        began: When it was executed, on the performance counter.
        failed: Requests that were refused, cut off, or answered with another status than 200.
    """

    tool: Tool
    port: int
    process: subprocess.Popen[bytes]
    project: Path
    output: IO[bytes]
    said: IO[bytes]
    imports: str
    began: float
    failed: int = 0
    _number: int = 0
    _session: int = 0
    _request: bytes = field(default=b"", repr=False)

    # -- the project -------------------------------------------------------------------------------------------------

    @property
    def source(self) -> Path:
        """The agent's file."""
        return self.project / self.tool.file

    def next_version(self) -> tuple[str, str]:
        """A version that there was never before, and the text of the agent's file with it.

        No two in a row have the same length: bytecode files know sources by their second and length, and a tool that
        trusts them is not what is measured here.
        """
        self._number += 1
        version = _version(self._number)
        return version, self.tool.code(version, self.imports) + "#" * (self._number % 50) + "\n"

    # -- the wire ----------------------------------------------------------------------------------------------------

    def open_session(self) -> bool:
        """Begin a session where the tool wants one before it is asked; return whether that worked."""
        self._session += 1
        name = f"session{self._session}"
        self._request = self._post(self.tool.path, self.tool.body.replace("{session}", name))
        if not self.tool.opening:
            return True
        return _is_good(self._exchange(self._post(self.tool.opening.replace("{session}", name), "{}")))

    def ask(self) -> bytes:
        """The whole answer of the agent, on a connection of its own; nothing when there is none."""
        answer = self._exchange(self._request)
        if _is_good(answer):
            return answer
        self.failed += 1
        return b""

    def _post(self, path: str, body: str) -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return (head + body).encode()

    def _exchange(self, request: bytes) -> bytes:
        parts: list[bytes] = []
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE) as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.sendall(request)
                while part := peer.recv(65536):
                    parts.append(part)
        except OSError:
            time.sleep(_AGAIN)  # nobody listens yet; asking without a pause would be all that the machine does
            return b""
        return b"".join(parts)

    def get(self, path: str) -> http.client.HTTPResponse:
        """What a path answers, read to its end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer

    def await_version(self, version: str) -> float:
        """Ask back to back until the answer shows a version; return when it did, on the performance counter.

        Raises:
            RuntimeError: it never does.
        """
        wanted = version.encode()
        self._await(lambda: wanted in self.ask(), f"never answers with {version}")
        return time.perf_counter()

    def await_first(self) -> float:
        """Ask until the agent answers for the first time; return when it did, on the performance counter.

        Raises:
            RuntimeError: it never does.
        """
        self._await(self.open_session, "does not come up")
        return self.await_version(_version(0))

    def await_told(self, name: str) -> None:
        """Wait until our tool tells of an event.

        Raises:
            RuntimeError: it never does.
        """

        def is_told() -> bool:
            found = any(event["event"] == name for event in self.events())
            if not found:
                time.sleep(_LOOK_EVERY)
            return found

        self._await(is_told, f"never tells of {name!r}")

    def _await(self, true: Callable[[], bool], otherwise: str) -> None:
        """Ask back to back whether something is so; whoever wants a pause makes it."""
        deadline = time.perf_counter() + _PATIENCE
        while not true():
            if time.perf_counter() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"{self.tool.name} {otherwise}:\n{self.tail()}")

    # -- the process -------------------------------------------------------------------------------------------------

    @property
    def cpu(self) -> float:
        """Seconds of CPU time that it and all it started have used so far."""
        return cpu_seconds(self.process.pid)

    def tail(self) -> str:
        """The end of what it has said."""
        return "\n".join(_read(stream)[-1000:].decode(errors="replace") for stream in (self.output, self.said))

    def events(self) -> list[dict[str, object]]:
        """What our tool has told of so far."""
        return told(_read(self.output))

    def interrupt(self) -> None:
        """Press Ctrl-C: the whole group hears it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> None:
        """End it and all it started."""
        below = tree(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0 if self.tool.opening else _STOP_SECONDS)
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def launch(
    tool: Tool, *, imports: str = "", files: Mapping[str, str] | None = None, wait: bool = True
) -> Generator[Developed]:
    """Run a tool on the servers' core until the end of the block.

    Args:
        tool: Which.
        imports: What its agent imports.
        files: The project in the place of the tool's own, by name.
        wait: Whether to wait for the agent's first answer.

    Raises:
        RuntimeError: it does not come up.
    """
    # Beside the project, so that what a tool writes for itself is not what it watches.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as folder:
        project, home = Path(folder, "project"), Path(folder, "home")
        home.mkdir()
        content = {**tool.more, tool.file: tool.code(_version(0), imports)} if files is None else files
        for name, text in content.items():
            place = project / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        port = free_port()
        command = [str(peer_python(tool.environment)), *(part.replace("{port}", str(port)) for part in tool.command)]
        began = time.perf_counter()
        process = spawn(command, _environment(tool, home), said, project, output=output, group=True)
        server = Developed(tool, port, process, project, output, said, imports, began)
        try:
            if wait:
                server.await_first()
                server.failed = 0
            yield server
        finally:
            server.end()


def _environment(tool: Tool, home: Path) -> dict[str, str]:
    places = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "CACHE", "STATE", "DATA")}
    # Of bytecode files all have the use that they have for users.
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PYTHONDONTWRITEBYTECODE": "", **places, **tool.env}


def told(output: bytes) -> list[dict[str, object]]:
    """The events in the output of ``sentient dev --json``."""
    return [json.loads(line) for line in output.split(b"\n")[:-1] if line.startswith(b"{")]


def _read(stream: IO[bytes]) -> bytes:
    # The process writes at the same place of the same file.
    return os.pread(stream.fileno(), 1 << 30, 0)


def _is_good(answer: bytes) -> bool:
    return answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))


def _version(number: int) -> str:
    return f"version-{number:06d}."
