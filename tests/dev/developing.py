"""``sentient dev`` as a process: a project whose files change, and what is said about it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import IO

import httpx

from tests.support import commands
from tests.support.commands import Forked
from tests.support.served import environment
from tests.support.wire import PATIENCE

__all__ = [
    "AGENT",
    "GO",
    "Developing",
    "Stream",
    "body",
    "children",
    "developing",
    "ending",
    "text_of",
    "wait_until",
]

AGENT = '''
import asyncio
from pathlib import Path

from sentient_cli import Query, Response, Session, agent

VERSION = "{version}"


@agent
async def versions(session: Session, query: Query, response: Response) -> None:
    """Answers with the version of its code: once, or until there is a file of the name that it is asked for."""
    async with response.stream("ANSWER") as stream:
        await stream.write(VERSION + " ")
        while query.prompt and not Path(query.prompt).exists():
            await asyncio.sleep(0.02)
            await stream.write(VERSION + " ")
'''
GO = "go"
"""What a stream is asked for that lasts until `Developing.go`."""
_ID = "01JS4F4Z5V0000000000000001"


def body(prompt: object, activity: str | None = None) -> dict[str, object]:
    """The body of a question."""
    asked: dict[str, object] = {"query": {"id": _ID, "prompt": str(prompt)}}
    if activity is not None:
        asked["session"] = {
            "processor_id": "tests",
            "activity_id": activity,
            "request_id": "01JS4F4Z5V0000000000000003",
            "interactions": [],
        }
    return asked


class Developing:
    """A ``sentient dev`` that runs.

    Args:
        process: It.
        said: The other end of its standard output.
        project: The directory of its project.
    """

    def __init__(self, process: Forked, said: IO[bytes], project: Path) -> None:
        self.process = process
        self._said = said
        self.project = project
        self.url = ""
        self.token = ""
        self._events: list[dict[str, object]] = []
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._said:
            with self._changed:
                self._events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def events(self) -> list[dict[str, object]]:
        """What it has said so far."""
        with self._changed:
            return list(self._events)

    def mark(self) -> int:
        """How much it has said so far, for `wait`."""
        return len(self.events)

    def wait(
        self, name: str, *, since: int = 0, where: Callable[[dict[str, object]], bool] | None = None
    ) -> dict[str, object]:
        """Wait until it says something, at or after a mark."""
        with self._changed:
            while True:
                for event in self._events[since:]:
                    if event["event"] == name and (where is None or where(event)):
                        return event
                since = len(self._events)
                assert not self._ended, f"it ended without {name!r}: {self._events[-10:]}"
                assert self._changed.wait(PATIENCE), f"no {name!r} in {self._events[-10:]}"

    def wait_ready(self) -> dict[str, object]:
        """Wait until the agent answers."""
        return self.wait_announced("ready")

    def wait_announced(self, name: str = "listening") -> dict[str, object]:
        """Wait until it says where it is."""
        event = self.wait(name)
        self.url = str(event["url"])
        self.token = str(event["inspect_url"]).partition("#token=")[2]
        return event

    # -- the project -------------------------------------------------------------------------------------------------

    def write(self, name: str, text: str) -> int:
        """Save a file; return a mark from before."""
        mark = self.mark()
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return mark

    def go(self) -> None:
        """Let streams end that were asked to last until `GO`."""
        (self.project / GO).touch()

    def save(self, version: str, name: str = "agent.py") -> dict[str, object]:
        """Save the agent with another version, and wait until it answers."""
        return self.wait("reloaded", since=self.write(name, AGENT.format(version=version)))

    # -- the wire ----------------------------------------------------------------------------------------------------

    def ask(self, prompt: object = "", activity: str | None = None) -> str:
        """What it answers, as one text."""
        answer = httpx.post(f"{self.url}/assist", json=body(prompt, activity), timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return text_of(answer.text)

    def get(self, path: str, *, token: bool = False) -> httpx.Response:
        """Get something; with the inspection token if asked for."""
        headers = {"authorization": f"Bearer {self.token}"} if token else {}
        return httpx.get(self.url + path, headers=headers, timeout=PATIENCE)

    def state(self) -> dict[str, object]:
        """How things stand."""
        answer = self.get("/_sentient/state", token=True)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    # -- processes ---------------------------------------------------------------------------------------------------

    def workers(self) -> list[int]:
        """The processes of its generations: its children but for the fork server."""
        return [pid for pid in children(self.process.pid) if not children(pid) and not _is_fork_server(pid)]

    def fork_server(self) -> int:
        """The process that forks workers."""
        return max(pid for pid in children(self.process.pid) if _is_fork_server(pid))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it as a user does; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._said.close()
        return code


def text_of(stream: str) -> str:
    """The text of all chunks of a stream of events."""
    datas = [json.loads(line[5:]) for line in stream.splitlines() if line.startswith("data:")]
    return "".join(data["content"] for data in datas if data["content_type"] == "chunked.text").strip()


def children(pid: int) -> list[int]:
    """The processes that a process has started, or adopted."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def _is_fork_server(pid: int) -> bool:
    # What a worker prints goes to the hub; the fork server prints nothing.
    with contextlib.suppress(OSError):
        return not str(Path(f"/proc/{pid}/fd/1").readlink()).startswith("pipe:")
    return False


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@contextlib.contextmanager
def developing(
    project: Path,
    *flags: object,
    version: str | None = "one",
    agent: str | None = None,
    ready: bool = True,
    code: int = 0,
    env: Mapping[str, str] | None = None,
    prelude: str = "",
) -> Generator[Developing]:
    """A ``sentient dev`` for as long as the block lasts.

    Args:
        project: A directory; made with an agent in it unless there is one.
        flags: More of the command line.
        version: What the agent answers first; None: no agent is written.
        agent: Another agent, as the text of its file.
        ready: Whether to wait until it answers.
        code: How it has to exit.
        env: More of the environment.
        prelude: Python that runs in it before.
    """
    project.mkdir(exist_ok=True)
    if agent is None and version is not None and not (project / "agent.py").exists():
        agent = AGENT.format(version=version)
    if agent is not None:
        (project / "agent.py").write_text(agent)
    home = project.parent / f"{project.name}-home"
    home.mkdir(exist_ok=True)
    arguments = ("dev", "--json", "--port", "0", *map(str, flags))
    process, said = commands.start_reading(
        *arguments, directory=project, environment=environment(home, env), prelude=prelude
    )
    server = Developing(process, said, project)
    try:
        if ready:
            server.wait_ready()
        yield server
    except BaseException:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
        process.kill()
        server.stop()
        raise
    assert server.stop() == code, server.events[-10:]


class Stream:
    """An answer that is read in a thread of its own.

    Args:
        url: Of the server.
        prompt: What is asked.
        wait: Whether to wait for its first event.
    """

    def __init__(self, url: str, prompt: object, *, wait: bool = True) -> None:
        self.broken: httpx.HTTPError | None = None
        """How it broke off."""
        self._lines: list[str] = []
        self._began = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(url, prompt), daemon=True)
        self._thread.start()
        if wait:
            assert self._began.wait(PATIENCE)

    def _read(self, url: str, prompt: object) -> None:
        try:
            with httpx.stream("POST", f"{url}/assist", json=body(prompt), timeout=PATIENCE) as answer:
                for line in answer.iter_lines():
                    self._lines.append(line)
                    if line.startswith("data:"):
                        self._began.set()
        except httpx.HTTPError as error:
            self.broken = error

    @property
    def ended(self) -> bool:
        """Whether it has come to an end, whatever that is."""
        return not self._thread.is_alive()

    def finish(self) -> list[str]:
        """Wait for its end; the lines."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self._lines

    def words(self) -> set[str]:
        """Wait for its end; the different words of its text."""
        return set(text_of("\n".join(self.finish())).split())


def ending(stream: Stream) -> tuple[int, str]:
    """Wait for the end of an answer that was ended by an error, in good order; its code and message."""
    lines = stream.finish()
    assert stream.broken is None, stream.broken
    numbers = [int(line[3:]) for line in lines if line.startswith("id:")]
    assert numbers == sorted(set(numbers))
    events = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    error, done = events[-2:]
    assert (error["event_name"], done["event_name"]) == ("error", "done")
    assert len({event["source"] for event in events}) == 1
    return error["content"]["error_code"], error["content"]["error_message"]
