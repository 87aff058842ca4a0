"""Who looks at the processes of a machine sees no key: in no command line, and in no variables but those of `exec`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import termios
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli.keys_kit import PASSPHRASE, use_quick_store
from tests.cli.llm_command_kit import chat_answer, project
from tests.credentials.canary_kit import CANARY, Sinks
from tests.dev.developing import wait_until
from tests.plugins.isolation import REPOSITORY
from tests.support.llm_server import Answer, LLMServer, Received, as_json
from tests.support.served import Served, command
from tests.support.wire import ask_all

pytestmark = [
    pytest.mark.slow,
    pytest.mark.story("6.4", "10.1"),
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux"),
]
_AGENT = """
from sentient_cli import agent, llm

@agent
async def asker(session, query, response):
    await response.stream_llm("MODEL", llm.stream(query.prompt))
"""


class _Processes:
    """The processes of the test, as anybody of this account sees them while they run."""

    def __init__(self) -> None:
        self.sinks = Sinks()
        self._home = str(Path.home()).encode()

    def look(self, moment: str, *, but: str = "no process") -> int:
        """Take down what each of them shows; how many there are.

        Args:
            moment: When that is.
            but: What the command line of one has that is given the key on purpose.
        """
        count = 0
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                variables, line = entry.joinpath("environ").read_bytes(), entry.joinpath("cmdline").read_bytes()
                if entry.name == str(os.getpid()) or self._home not in variables + line:
                    continue
                count += 1
                self.sinks.add(f"{moment}: command line of {line!r}", line.replace(b"\0", b" "))
                if but.encode() not in line:
                    self.sinks.add(f"{moment}: variables of {line!r}", variables)
        return count


class _Provider:
    """Answers once it is told to, so that whoever asks can be looked at meanwhile."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def __call__(self, received: Received) -> Answer:
        assert received.headers["authorization"].startswith(f"Bearer {CANARY}")
        self.asked.set()
        assert self.go.wait(60)
        models = received.path.endswith("/models")
        return as_json({"object": "list", "data": [{"id": "small"}]}) if models else chat_answer("Yes")

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """From the moment at which it was asked to the one at which it answers."""
        assert self.asked.wait(60)
        yield
        self.go.set()


class _Stage:
    """A project, and the processes that were started in it."""

    def __init__(self, server: LLMServer) -> None:
        self.server = server
        self.processes = _Processes()

    def started(self, *arguments: object, **more: str) -> subprocess.Popen[str]:
        """A command as a process of its own."""
        return subprocess.Popen(
            command(*arguments),
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process: subprocess.Popen[str], stdin: str | None = None, code: int = 0) -> str:
        """What it said."""
        out, err = process.communicate(stdin, timeout=60)
        assert process.returncode == code, err
        self.processes.sinks.add(f"what {process.args!r} said", out, err)
        return out

    def asking(self, *arguments: str, stdin: str | None = None) -> None:
        """A command that asks the provider, looked at while it waits for the answer."""
        provider = _Provider()
        self.server.answer(provider)
        process = self.started(*arguments)
        assert process.stdin is not None
        process.stdin.write(stdin or "")
        process.stdin.close()
        process.stdin = None
        with provider.waiting():
            assert self.processes.look(" ".join(arguments[:2])) == 1
        self.ended(process)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Generator[_Stage]:
    use_quick_store(monkeypatch)
    with LLMServer(_Provider()) as server:
        project(server)
        yield _Stage(server)


def _stored(stage: _Stage) -> None:
    stage.ended(stage.started("keys", "set", "mine"), CANARY)


def test_commands_that_hold_a_key(stage: _Stage) -> None:
    begun = stage.started("keys", "set", "mine")
    assert begun.stdin is not None
    begun.stdin.write(CANARY)
    begun.stdin.flush()
    pipe = begun.stdin.fileno()
    wait_until(lambda: not any(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)), "the key was not read")
    assert stage.processes.look("keys set") == 1
    stage.ended(begun)
    stage.asking("ask", "Hi")
    stage.asking("keys", "test", "mine")
    stage.asking("keys", "rotate", "mine", stdin=f"{CANARY}-next")
    _require_nothing(stage)


def test_the_child_of_exec_alone_is_given_it(stage: _Stage) -> None:
    _stored(stage)
    child = "import sys; print('ready', flush=True); sys.stdin.read()"
    process = stage.started("keys", "exec", "--", sys.executable, "-c", child)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert stage.processes.look("keys exec", but="import sys; print") == 2
    all_of_them = _Processes()
    all_of_them.look("keys exec")
    assert [names[0].split()[0] for names in all_of_them.sinks.leaks().values()] == ["raw"]
    stage.ended(process, "")
    _require_nothing(stage)


def test_the_process_that_keeps_a_passphrase(stage: _Stage) -> None:
    Path("words").write_text(PASSPHRASE)
    Path("words").chmod(0o600)
    asked = {"SENTIENT_CREDENTIALS_PASSPHRASE_ENV": "", "KEYS_PASSPHRASE": ""}
    stage.ended(stage.started("keys", "unlock", "--for", "5m", "--passphrase-file", "words", **asked))
    try:
        stage.processes.sinks = Sinks(PASSPHRASE)
        assert stage.processes.look("keys unlock") == 1
    finally:
        stage.ended(stage.started("keys", "lock", **asked))
    _require_nothing(stage)


@pytest.mark.parametrize(
    ("arguments", "count"), [(("serve", "asker.py", "--workers", "2"), 3), (("dev", "asker.py"), 2)]
)
def test_servers(stage: _Stage, arguments: tuple[str, ...], count: int) -> None:
    _stored(stage)
    Path("asker.py").write_text(_AGENT)
    Path(".env").write_text(f"DB_PASSWORD='{CANARY}'\n")
    provider = _Provider()
    stage.server.answer(provider)
    process = stage.started(*arguments, "--port", "0")
    server = Served(process)
    try:
        server.port = int(server.wait_line(r"http://127\.0\.0\.1:(\d+)")[1])
        asking = threading.Thread(target=ask_all, args=(server.address, "Hi"))
        asking.start()
        with provider.waiting():
            assert stage.processes.look(arguments[0]) >= count
        asking.join(60)
    finally:
        server.stop_if_running()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
    _require_nothing(stage)


def _require_nothing(stage: _Stage) -> None:
    sinks = stage.processes.sinks
    assert sinks.leaks() == {}
    assert all(sinks.sizes().values())
