"""Processes that agents start, and ends that nobody expected: nothing hangs, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import pytest

from tests.dev.developing import AGENT, Developing, Stream, developing, wait_until
from tests.support.wire import PATIENCE

_BODY = '{"query":{"id":"01JS4F4Z5V0000000000000001","prompt":""}}'


def _saying(prelude: str, version: str = "one") -> str:
    """An agent that answers with its version and its process."""
    agent = AGENT.format(version=version).replace('VERSION + " "', 'f"{VERSION} {os.getpid()}"', 1)
    return f"import ctypes, os, socket, subprocess, sys, threading, time\n{prelude}\n{agent}"


def _process(dev: Developing) -> int:
    return int(dev.ask().split()[1])


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


@contextlib.contextmanager
def _served(project: Path, prelude: str, env_file: str = "") -> Generator[Developing]:
    project.mkdir()
    (project / "agent.py").write_text(_saying(prelude))
    (project / ".env").write_text(env_file)
    try:
        with developing(project) as dev:
            yield dev
    finally:
        (project / "over").touch()  # which those wait for that the agent has started


_DETACHED = """
if {fork} == 0:
    os.setsid()
    while not os.path.exists("over"):
        time.sleep(0.05)
    os._exit(0)
"""


@pytest.mark.story("20.5")
@pytest.mark.parametrize("fork", ["os.fork()", "ctypes.PyDLL(None).fork()"])
def test_the_end_of_a_worker_is_noticed_while_a_copy_of_it_lives(tmp_path: Path, fork: str) -> None:
    with _served(tmp_path / "project", _DETACHED.format(fork=fork)) as dev:
        worker = _process(dev)
        mark = dev.mark()
        os.kill(worker, signal.SIGKILL)
        assert dev.wait("worker-died", since=mark)["how"] == "killed by SIGKILL"
        assert _process(dev) != worker
        mark = dev.write("agent.py", _saying("", "two"))
        dev.wait("retired", since=mark)
        assert dev.ask().split()[0] == "two"


_HELPER = """
helper = subprocess.Popen(["sh", "-c", {script!r}], start_new_session={apart})
with open(f"helper-{{os.getpid()}}", "w") as file:
    file.write(str(helper.pid))
"""


def _helper(dev: Developing) -> int:
    return int((dev.project / f"helper-{_process(dev)}").read_text())


@pytest.mark.slow
@pytest.mark.story("20.5")
@pytest.mark.parametrize("script", ["exec sleep 600", "trap '' TERM; sleep 600 & sleep 600; sleep 600"])
def test_what_an_agent_starts_ends_with_it(tmp_path: Path, script: str) -> None:
    prelude = _HELPER.format(script=script, apart=False)
    with _served(tmp_path / "project", prelude) as dev:
        first = _helper(dev)
        assert _runs(first)
        dev.wait("reloaded", since=dev.write("agent.py", _saying(prelude, "two")))
        wait_until(lambda: not _runs(first), "it ends with the code that has started it")
        second = _helper(dev)
        os.kill(_process(dev), signal.SIGKILL)
        wait_until(lambda: not _runs(second), "and with a process that is killed")
        dev.wait("worker-died")
        third = _helper(dev)
        assert _runs(third)
        assert dev.stop() == 0
        assert not _runs(third), "and with all of it"


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_orphans_of_an_agent_leave_no_zombies(tmp_path: Path) -> None:
    prelude = 'subprocess.run(["sh", "-c", "setsid sh -c \'sleep 0.1; echo $$ > orphan\' &"])\n'
    with _served(tmp_path / "project", prelude) as dev:
        wait_until(lambda: bool(_content(dev.project / "orphan")), "it is there")
        orphan = int(_content(dev.project / "orphan"))
        wait_until(lambda: not Path(f"/proc/{orphan}").exists(), "it is collected")


def _content(path: Path) -> str:
    return path.read_text() if path.exists() else ""


_IN_THE_BACKGROUND = {
    "a program": "os.system('sleep 600 &')",
    "a copy": "os.fork() or (time.sleep(600), os._exit(0))",
}


@pytest.mark.story("20.5")
@pytest.mark.parametrize("how", _IN_THE_BACKGROUND)
def test_a_connection_ends_while_what_a_run_has_started_goes_on(tmp_path: Path, how: str) -> None:
    prelude = f"def begin():\n    {_IN_THE_BACKGROUND[how]}\n    return 'begun'\n"
    project = tmp_path / "project"
    project.mkdir()
    agent = _saying(prelude).replace("os.getpid()}", "os.getpid()} {begin()}", 1)
    (project / "agent.py").write_text(agent)
    with developing(project) as dev:
        host, port = dev.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as client:
            head = f"Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}"
            client.sendall(f"POST /assist HTTP/1.0\r\n{head}\r\n\r\n{_BODY}".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert b"begun" in answer


_CROWDED = """
def crowd():
    import resource
    while not os.path.exists("crowd"):
        time.sleep(0.01)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        print("no descriptor is left", flush=True)
    while not os.path.exists("room"):
        time.sleep(0.01)
    for descriptor in held:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

threading.Thread(target=crowd, daemon=True).start()
"""


def _output(text: str) -> Callable[[dict[str, object]], bool]:
    return lambda event: text in str(event["text"])


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_a_moment_without_descriptors_costs_no_connection(tmp_path: Path) -> None:
    with _served(tmp_path / "project", _CROWDED) as dev:
        mark = dev.mark()
        (dev.project / "crowd").touch()
        dev.wait("output", since=mark, where=_output("no descriptor is left"))
        stream = Stream(dev.url, "", wait=False)
        dev.wait("output", since=mark, where=_output("No connection can be taken just now"))
        (dev.project / "room").touch()
        assert "one" in stream.words()
        assert dev.ask().startswith("one")


_BABBLING = """
def babble():
    while not os.path.exists("babble"):
        time.sleep(0.01)
    os.unlink("babble")
    for descriptor in range(3, 64):
        try:
            end = socket.socket(fileno=os.dup(descriptor))
            if end.family == socket.AF_UNIX and end.type == socket.SOCK_STREAM and end.getpeername() is not None:
                end.send(b"\\0\\0\\0\\3\\0{x}")
        except OSError:
            pass

threading.Thread(target=babble, daemon=True).start()
"""


@pytest.mark.story("20.5")
def test_a_worker_that_says_what_is_no_message_is_replaced(tmp_path: Path) -> None:
    with _served(tmp_path / "project", _BABBLING) as dev:
        worker = _process(dev)
        mark = dev.mark()
        (dev.project / "babble").touch()
        assert dev.wait("worker-died", since=mark)["how"] == "killed by SIGKILL"
        assert _process(dev) != worker


_HALVES = re.compile("0123456789|abcdefghij|KLMNOP")
_LINE = {
    "at the end of what is read at once": ("b", 65_536 - 14),
    "where a line is cut": ("b", 8_192 - 14),
    "where words are cut": ("word ", (8_192 - 14) // 5),
    "after many cuts": ("word ", 30_000),
}


@pytest.mark.story("20.5")
@pytest.mark.parametrize("where", _LINE)
def test_a_secret_in_a_long_line_is_not_shown_in_halves(tmp_path: Path, where: str) -> None:
    word, times = _LINE[where]
    text = f"({word!r} * {times} + os.environ['MY_SERVICE_TOKEN'] + ' ' + {word!r} * {times} + 'end\\n').encode()"
    prelude = f"with open(1, 'wb', closefd=False) as stream:\n    stream.write({text})\n"
    with _served(tmp_path / "project", prelude, "MY_SERVICE_TOKEN=0123456789-abcdefghij-KLMNOP\n") as dev:
        dev.wait("output", where=_output("end"))
        shown = [cast("str", event["text"]) for event in dev.events if event["event"] == "output"]
        assert "[redacted]" in "".join(shown)
        assert not _HALVES.search("".join(shown))
        assert max(map(len, shown)) <= 8_192
        assert len("".join(shown)) == 2 * times * len(word) + len("[redacted] end")


_STOPPED = """
import asyncio, os
from pathlib import Path

from sentient_cli import agent

def runs(pid):
    try:
        return "\\nState:\\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False

@agent
async def stopped(session, query, response):
    await response.text_block("A", "here")
    try:
        await asyncio.sleep(600)
    finally:
        hanging = int(Path("hanging").read_text())
        for _ in range(10):
            if not runs(hanging):
                break
            await asyncio.sleep(0.02)
        Path("seen").write_text("running" if runs(hanging) else "gone")
"""


@pytest.mark.slow
@pytest.mark.story("20.5")
def test_code_that_hangs_while_it_is_loaded_is_not_waited_for_at_the_end(tmp_path: Path) -> None:
    with developing(tmp_path / "project", agent=_STOPPED) as dev:
        Stream(dev.url, "")
        hangs = "import os, time\nfrom pathlib import Path\nPath('pid').write_text(str(os.getpid()))\n"
        dev.write("agent.py", f"{hangs}os.rename('pid', 'hanging')\ntime.sleep(600)\n")
        wait_until((dev.project / "hanging").exists, "it hangs")
        assert dev.stop() == 0
        assert (dev.project / "seen").read_text() == "gone"
