"""What keeps ``sentient serve`` from starting is said in one error with a code, a reason and a fix.

Of many cases that end at the same place the first goes through a process, and what loads nothing goes on in this one;
the others that need a process are slow.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.cli.processes import Sentient
from tests.support import commands
from tests.support.served import BEHAVIOURS, command, environment, serve
from tests.support.wire import ask_all, fetch

_ASSIST = "async def assist(session, query, response): pass\n"
_CLASS = "from sentient_cli import Agent\nclass {name}(Agent):\n    async def assist(self, s, q, r): pass\n"


def refuse(home: Path, *arguments: object, env: dict[str, str] | None = None) -> tuple[int, dict[str, str]]:
    """Start it in vain: the exit code, and the error."""
    given = ("--json", "serve", *map(str, arguments))
    return refused(commands.run_text(*given, directory=home, environment=environment(home, env)))


def refused(done: subprocess.CompletedProcess[str]) -> tuple[int, dict[str, str]]:
    """How it ended: the exit code, and the error."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    error: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["what"]
    return done.returncode, error


_SERVE = ("serve", str(BEHAVIOURS), "--port", "0")
_HELPER = "def read():\n    import no_such_module_anywhere\nread()\n"


@pytest.mark.story("14.8", "18.6")
@pytest.mark.parametrize(
    ("code", "text", "said", "shown"),
    [
        (
            "agent-import",
            "x = 1\ndef broken(:\n",
            "Correct {}/broken.py, line 2",
            ["{}/broken.py:2", "    def broken(:"],
        ),
        (
            "agent-import",
            "import helper\n",
            "helper.py needs the module no_such_module_anywhere",
            ["{}/helper.py:2 in read", "import no_such_module_anywhere", "{}/broken.py:1 in <module>"],
        ),
        pytest.param(
            "agent-import",
            "def setting():\n    raise ValueError('no luck')\nsetting()\n",
            "ValueError: no luck",
            ["{}/broken.py:2 in setting", "    raise ValueError('no luck')", "{}/broken.py:3 in <module>"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "agent-import",
            "import sys; sys.exit(3)\n",
            "It ended the program (sys.exit) with 3",
            ["{}/broken.py:1 in <module>"],
            marks=pytest.mark.slow,
        ),
        pytest.param("agent-not-found", "x = 1\n", "There is no agent in broken.py", [], marks=pytest.mark.slow),
        ("agent-ambiguous", _CLASS.format(name="One") + _CLASS.format(name="Two"), "One, Two", []),
        (
            "agent-signature",
            "def assist(session, query, response): pass\n",
            "assist is not async | def assist(session, query, response)",
            [],
        ),
        pytest.param(
            "agent-signature",
            "async def assist(session): pass\n",
            "It is `async def assist(session)`",
            [],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_agent_that_cannot_be_loaded(tmp_path: Path, code: str, text: str, said: str, shown: list[str]) -> None:
    (tmp_path / "broken.py").write_text(text)
    (tmp_path / "helper.py").write_text(_HELPER)
    exit_code, error = refuse(tmp_path, "broken.py", "--port", 0)
    assert (exit_code, error["code"]) == (5, code)
    assert said.format(tmp_path) in " | ".join((error["what"], error["why"], error["fix"]))
    detail = error.get("detail", "")
    for line in shown:
        assert line.format(tmp_path) in detail
    assert bool(detail) == bool(shown)
    assert "sentient_cli" not in detail  # frames of ours say nothing to the user


_REGISTERS = """
from sentient_cli import Agent
from sentient_cli.llm.current import get_manager
from sentient_cli.llm.offline import OfflineProvider

class Mine(OfflineProvider):
    ID = "mine"

class Registers(Agent):
    async def setup(self):
        get_manager().register(Mine())

    async def assist(self, session, query, response):
        await response.stream_llm("ANSWER", get_manager().stream(query.prompt))

    async def aclose(self):
        print("closed", flush=True)
"""
_SERVES = (
    _REGISTERS
    + """
if __name__ == "__main__":
    from sentient_agent_framework import DefaultServer
    DefaultServer(Registers()).run()
"""
)
_NOT_THERE = ["There is no provider 'nowhere'", "mine", "offline", "--model"]
_NO_NAME = ["There is no provider ''", "mine", "offline", "--model"]
_NO_SUCH_MODEL = ["The offline model has no 'gpt-5'", "assistant, echo", "--model"]


@pytest.mark.story("14.8")
@pytest.mark.parametrize(
    ("name", "model", "said"),
    [
        ("serve", "nowhere:gpt-5", _NOT_THERE),
        ("run", "offline:gpt-5", _NO_SUCH_MODEL),
        pytest.param("run", "nowhere:gpt-5", _NOT_THERE, marks=pytest.mark.slow),
        pytest.param("serve", "offline:gpt-5", _NO_SUCH_MODEL, marks=pytest.mark.slow),
        pytest.param("serve", ":", _NO_NAME, marks=pytest.mark.slow),
        pytest.param("run", ":", _NO_NAME, marks=pytest.mark.slow),
    ],
)
def test_a_model_that_leads_nowhere(tmp_path: Path, name: str, model: str, said: list[str]) -> None:
    (tmp_path / "agent.py").write_text(_SERVES)
    arguments = ("--json", name, "--port", "0", "--model", model, "agent.py")
    done = commands.run_text(*arguments, directory=tmp_path, environment=environment(tmp_path))
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (3, "config")
    assert "Serving" not in done.stderr
    for words in said:
        assert words in " | ".join((error["what"], error["why"], error["fix"]))
    assert done.stdout in {"", "closed\n"}


@pytest.mark.story("14.8", "E1.4")
def test_a_model_without_a_key_is_said_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(_SERVES)
    arguments = ("--json", "serve", "--port", "0", "--model", "openai:gpt-5", "agent.py")
    done = commands.run_text(*arguments, directory=tmp_path, environment=environment(tmp_path))
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (3, "credential-not-found")
    assert "OPENAI_API_KEY" in error["why"]
    assert "offline" in error["fix"]
    assert "Serving" not in done.stderr


@pytest.mark.story("14.8")
@pytest.mark.parametrize("model", ["mine", pytest.param("mine:assistant", marks=pytest.mark.slow)])
def test_a_model_that_the_agent_brings(tmp_path: Path, model: str) -> None:
    (tmp_path / "agent.py").write_text(_REGISTERS)
    with serve(tmp_path, "--model", model, "--drain-delay", 0, agent="agent.py") as server:
        assert ask_all(server.address, "What is 6 * 7?")[-1].event == "done"


@pytest.mark.story("14.8")
def test_an_agent_that_is_not_there(tmp_path: Path) -> None:
    exit_code, error = refuse(tmp_path, "nowhere.py", "--port", 0)
    assert (exit_code, error["code"]) == (5, "agent-not-found")
    assert "nowhere.py" in error["what"]


@pytest.mark.story("14.8")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_setup_that_raises(tmp_path: Path, workers: int) -> None:
    (tmp_path / "broken.py").write_text(
        _CLASS.format(name="Broken") + "    async def setup(self): raise RuntimeError('no database')\n"
    )
    exit_code, error = refuse(tmp_path, "broken.py", "--port", 0, "--workers", workers)
    assert (exit_code, error["code"]) == (5, "agent-import")
    assert "no database" in json.dumps(error)


@pytest.mark.slow
@pytest.mark.measured
@pytest.mark.story("14.8")
def test_what_keeps_all_workers_from_starting_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('no database')\n")
    arguments = ("serve", "broken.py", "--port", "0", "--workers", "2")
    done = commands.run_text(*arguments, directory=tmp_path, environment=environment(tmp_path))
    assert done.returncode == 5
    assert done.stderr.count("Error: agent-import") == 1


@pytest.mark.story("14.8")
def test_a_port_that_is_taken_names_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        _, port = holder.getsockname()
        exit_code, error = refuse(tmp_path, BEHAVIOURS, "--port", port)
    assert (exit_code, error["code"]) == (4, "address-in-use")
    assert str(port) in error["what"]
    assert f"process {os.getpid()}" in error["why"]


@pytest.mark.story("14.8")
def test_the_port_that_is_proposed_is_free(tmp_path: Path) -> None:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))]
        _, port = taken[0].getsockname()
        with suppress(OSError):  # somebody else's, which is as good
            stack.enter_context(socket.create_server(("127.0.0.1", port + 1)))
        _, error = refuse(tmp_path, BEHAVIOURS, "--port", port)
    proposed = int(error["fix"].split()[-1])
    assert proposed not in {port, port + 1}
    socket.create_server(("127.0.0.1", proposed)).close()


@pytest.mark.slow
@pytest.mark.story("14.8")
def test_two_servers_on_one_port(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0) as server:
        _, error = refuse(tmp_path, BEHAVIOURS, "--port", server.port)
        assert f"process {server.process.pid}" in error["why"]


_WITHOUT_PRIVILEGE = """
import ctypes, os, sys
if os.geteuid() == 0:
    assert ctypes.CDLL(None, use_errno=True).prctl(24, 10, 0, 0, 0) == 0  # never again: the right to bind low ports
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.story("14.8")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes other means to give a privilege up")
def test_a_privileged_port(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _WITHOUT_PRIVILEGE, *command("--json", "serve", BEHAVIOURS, "--port", 1)]
    done = subprocess.run(
        argv, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=150
    )
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (4, "address-not-allowed")
    assert "1024" in error["why"] + error["fix"]


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("0.0.0.0", marks=pytest.mark.story("14.8", "F9")),  # noqa: S104 - what is tested
        *("::", "192.0.2.1", "example.invalid"),
    ],
)
def test_a_public_address_needs_a_token(commandline: Sentient, host: str) -> None:
    exit_code, error = refused(commandline("--json", *_SERVE, "--host", host))
    assert (exit_code, error["code"]) == (4, "address-not-allowed")
    assert "--insecure" in error["fix"]
    assert "TOKEN" in error["fix"]


@pytest.mark.slow
@pytest.mark.story("14.8")
@pytest.mark.parametrize("more", [("--insecure",), ()])
def test_a_public_address_with_a_token_or_in_full_knowledge(tmp_path: Path, more: tuple[str, ...]) -> None:
    env = {} if more else {"SENTIENT_SERVER_TOKEN": "a-token-that-is-long"}
    with serve(tmp_path, "--host", "0.0.0.0", "--drain-delay", 0, *more, env=env):  # noqa: S104 - what is tested
        pass


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("p\u00e4ssw\u00f6rd-that-is-long", marks=pytest.mark.story("14.8", "F9")),
        *(" ", "\u00a0", "a blank is in this one", "a-line\tbreak-in-it"),
    ],
)
def test_a_token_that_no_header_carries(commandline: Sentient, token: str) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):  # noqa: S104 - what is tested
        env = {"SENTIENT_SERVER_TOKEN": token}
        _assert_unusable(refused(commandline("--json", *_SERVE, "--host", host, env=env)), token)


def _assert_unusable(found: tuple[int, dict[str, str]], token: str) -> None:
    exit_code, error = found
    assert (exit_code, error["code"]) == (3, "config")
    assert "server.token" in error["what"]
    assert "visible ASCII" in error["why"]
    assert 'python -c "import secrets;' in error["fix"]
    assert token.isspace() or token not in str(error)


@pytest.mark.parametrize("token", ["a", pytest.param("fifteen-letters", marks=pytest.mark.story("14.8", "F9"))])
def test_a_short_token_on_a_public_address(commandline: Sentient, token: str) -> None:
    env = {"SENTIENT_SERVER_TOKEN": token}
    exit_code, error = refused(commandline("--json", *_SERVE, "--host", "0.0.0.0", env=env))  # noqa: S104
    assert (exit_code, error["code"]) == (3, "config")
    assert "can be guessed" in error["what"]
    assert "16" in error["why"]
    assert 'python -c "import secrets;' in error["fix"]


@pytest.mark.story("14.8", "F9")
@pytest.mark.parametrize(
    "more",
    [
        (),
        pytest.param(("--host", "0.0.0.0", "--insecure"), marks=pytest.mark.slow),  # noqa: S104 - what is tested
        pytest.param(("--workers", 2), marks=pytest.mark.slow),
    ],
)
def test_a_short_token_elsewhere_is_warned_of_once(tmp_path: Path, more: tuple[object, ...]) -> None:
    with serve(tmp_path, "--drain-delay", 0, *more, env={"SENTIENT_SERVER_TOKEN": "!short~"}) as server:
        for given, status in (("!short~", 200), ("!short", 401)):
            headers = {"Authorization": f"Bearer {given}"}
            assert fetch(server.address, "/health", headers=headers)[0].status == status
        (record,) = [record for record in server.records() if "can be guessed" in str(record["message"])]
        assert record["level"] == "warning"
        assert "!short~" not in "\n".join(server.lines)


@pytest.mark.story("14.8")
def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    exit_code, error = refuse(tmp_path, BEHAVIOURS, "--port", 0, "--host", "192.0.2.1", "--insecure")
    assert (exit_code, error["code"]) == (4, "address-not-allowed")


@pytest.mark.parametrize("host", ["http://127.0.0.1", pytest.param("[::1]", marks=pytest.mark.slow)])
def test_a_host_with_more_than_a_name(tmp_path: Path, host: str) -> None:
    assert "no address to listen on" in refuse(tmp_path, BEHAVIOURS, "--port", 0, "--host", host)[1]["what"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("--port", "70000"), marks=pytest.mark.story("14.8")),
        *(("--workers", "0"), ("--workers", "257"), ("--on-disconnect", "explode"), ("--store", "x:y")),
        *(("--allow-origin", "example.org"), ("--allow-origin", "http://a/b"), ("--allow-origin", "http://a b")),
        *(("--allow-host", "http://a"), ("--allow-host", "a:8000"), ("--allow-host", "a/b")),
    ],
)
def test_a_flag_that_makes_no_sense(commandline: Sentient, flags: tuple[str, ...]) -> None:
    code, error = refused(commandline("--json", "serve", str(BEHAVIOURS), *flags))
    assert (code, error["code"]) == (2, "usage")


@pytest.mark.parametrize(
    ("flags", "what", "more"),
    [
        pytest.param(
            ("--port", "abc"),
            "Invalid value for '--port': it must be a whole number",
            "",
            marks=pytest.mark.story("14.8"),
        ),
        (("--port", "70000"), "Invalid value for '--port': it must be less than or equal to 65535", ""),
        (("--drain-delay", "x"), "Invalid value for '--drain-delay': it must be a number", ""),
        (("--run-timeout", "0"), "The value of --run-timeout is wrong: it must be greater than 0", ""),
        (("--log-level", "x"), "Invalid value for '--log-level': 'x' is not one of", ""),
        (("--token", "x"), "No such option: --token", "SENTIENT_SERVER_TOKEN"),
        (("--work", "2"), "No such option: --work", "Did you mean `--workers`"),
        (("--agent", "other.py"), "The agent is named twice, by AGENT and by --agent", "Leave one of them out"),
    ],
)
def test_what_is_said_of_a_wrong_flag(commandline: Sentient, flags: tuple[str, ...], what: str, more: str) -> None:
    code, error = refused(commandline("--json", "serve", str(BEHAVIOURS), *flags))
    assert code == 2
    assert error["what"].startswith(what)
    assert more in error["why"] + error["fix"]


@pytest.mark.story("14.8")
@pytest.mark.parametrize("store", ["sqlite:{}/file/runs.db", pytest.param("file:{}/file/runs", marks=pytest.mark.slow)])
def test_a_store_that_cannot_be_opened(tmp_path: Path, store: str) -> None:
    (tmp_path / "file").touch()
    _, error = refuse(tmp_path, BEHAVIOURS, "--port", 0, "--store", store.format(tmp_path))
    assert error["code"] == "store"


@pytest.mark.story("14.8")
def test_a_store_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_bytes(b"this is no database, whatever its name says" * 100)
    _, error = refuse(tmp_path, BEHAVIOURS, "--port", 0, "--store", "sqlite:runs.db")
    assert error["code"] == "store"
