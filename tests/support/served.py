"""``sentient serve`` as a process, with what it says on standard error at hand."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from pathlib import Path

from tests.support import commands
from tests.support.wire import PATIENCE, Address

AGENTS = Path(__file__).parent / "agents"
BEHAVIOURS = AGENTS / "behaviours.py"
_KEPT = ("PATH", "COVERAGE_", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "SYSTEMROOT")
_ANNOUNCED = re.compile(r"\bServing .* on http://[^\s\"]+:(\d+)")


class Served:
    """A server that runs.

    Args:
        process: Its process, with standard error as a pipe.
    """

    def __init__(self, process: subprocess.Popen[str] | commands.Forked) -> None:
        self.process = process
        self.port = 0
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def address(self) -> Address:
        """Where it listens."""
        return ("127.0.0.1", self.port)

    @property
    def lines(self) -> list[str]:
        """What it has said so far."""
        with self._changed:
            return list(self._lines)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_line(self, pattern: str, *, since: int = 0) -> re.Match[str]:
        """Wait until it says a line in which the pattern is found, at or after a number of lines."""
        wanted = re.compile(pattern)
        with self._changed:
            while True:
                found = next((match for line in self._lines[since:] if (match := wanted.search(line))), None)
                if found:
                    return found
                since = len(self._lines)
                assert not self._ended, f"it ended without {pattern!r}: {self._lines[-20:]}"
                assert self._changed.wait(PATIENCE), f"nothing like {pattern!r} in {self._lines[-20:]}"

    def records(self) -> list[dict[str, object]]:
        """The lines that are JSON."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_record(self, **wanted: object) -> dict[str, object]:
        """Wait for a JSON line with these fields."""
        seen = 0
        while True:
            self.wait_line(r"^\{", since=seen)
            lines = self.lines
            for number, line in enumerate(lines[seen:], seen):
                record: dict[str, object] = json.loads(line) if line.startswith("{") else {}
                if record and wanted.items() <= record.items():
                    return record
                seen = number + 1

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; return the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    def stop_if_running(self) -> None:
        """End it, unless it has ended."""
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> int:
        """End it at once: the second signal cancels what runs."""
        for _ in range(2):
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGINT)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a started process: a home of its own, and nothing of the machine's settings."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", **(extra or {})}


def command(*arguments: object) -> list[str]:
    """The command line of ``sentient``."""
    return [sys.executable, "-m", "sentient_cli", *map(str, arguments)]


def start(
    home: Path,
    *flags: object,
    agent: object = BEHAVIOURS,
    env: Mapping[str, str] | None = None,
    port: int = 0,
    anew: bool = False,
    prelude: str = "",
) -> Served:
    """Start ``sentient serve`` without waiting for anything.

    Args:
        home: Its home and working directory.
        flags: More of the command line.
        agent: What it serves.
        env: More of the environment.
        port: 0 takes a free one.
        anew: In an interpreter of its own, not forked from one that has imported it.
        prelude: Python that runs before, where it is forked.
    """
    arguments = ("serve", agent, "--port", port, *flags)
    if not anew:
        given = environment(home, env)
        return Served(commands.start(*map(str, arguments), directory=home, environment=given, prelude=prelude))
    return Served(
        subprocess.Popen(
            command(*arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="strict",
            cwd=home,
            env=environment(home, env),
        )
    )


@contextlib.contextmanager
def serve(
    home: Path,
    *flags: object,
    agent: object = BEHAVIOURS,
    env: Mapping[str, str] | None = None,
    code: int = 0,
    anew: bool = False,
) -> Generator[Served]:
    """A server for as long as the block lasts, from the moment it answers.

    Args:
        home: Its home and working directory.
        flags: More of the command line.
        agent: What it serves.
        env: More of the environment.
        code: How it has to exit.
        anew: In an interpreter of its own, not forked from one that has imported it.
    """
    server = start(home, *flags, agent=agent, env=env, anew=anew)
    try:
        server.port = int(server.wait_line(_ANNOUNCED.pattern)[1])
        yield server
    except BaseException:
        server.process.kill()
        server.wait()
        raise
    assert server.stop() == code, server.lines[-30:]


def assert_said_at_the_start(server: Served) -> None:
    """A server with a ``.env`` and a misspelt SENTIENT_SERVER_PROT has said so in JSON, once, and nothing else."""
    assert server.lines == [line for line in server.lines if line.startswith("{")]
    said = [str(record["message"]) for record in server.records()]
    assert said[0].startswith("Environment read from ")
    assert said[1] == "SENTIENT_SERVER_PROT is no setting; did you mean SENTIENT_SERVER_PORT?"
    assert [message.startswith("Serving ") for message in said].count(True) == 1
