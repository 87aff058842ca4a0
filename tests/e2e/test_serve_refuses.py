"""What keeps ``sentient serve`` from starting is said in one error with a code, a reason and a fix."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.served import BEHAVIOURS, command, environment, serve

pytestmark = pytest.mark.story("14.8")

_ASSIST = "async def assist(session, query, response): pass\n"
_CLASS = "from sentient_cli import Agent\nclass {name}(Agent):\n    async def assist(self, s, q, r): pass\n"


def refuse(home: Path, *arguments: object, env: dict[str, str] | None = None) -> tuple[int, dict[str, str]]:
    """Start it in vain: the exit code, and the error."""
    done = subprocess.run(
        command("--json", "serve", *arguments),
        cwd=home,
        env=environment(home, env),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    error: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    assert error["what"]
    return done.returncode, error


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        ("agent-import", "def broken(:\n", "broken.py"),
        ("agent-import", "import no_such_module_anywhere\n", "no_such_module_anywhere"),
        ("agent-import", "raise ValueError('no luck')\n", "no luck"),
        ("agent-import", "import sys; sys.exit(3)\n", "SystemExit"),
        ("agent-not-found", "x = 1\n", "agent"),
        ("agent-ambiguous", _CLASS.format(name="One") + _CLASS.format(name="Two"), "Two"),
        ("agent-signature", "def assist(session, query, response): pass\n", "async"),
        ("agent-signature", "async def assist(session): pass\n", "assist"),
    ],
)
def test_an_agent_that_cannot_be_loaded(tmp_path: Path, code: str, text: str, said: str) -> None:
    (tmp_path / "broken.py").write_text(text)
    exit_code, error = refuse(tmp_path, "broken.py", "--port", 0)
    assert (exit_code, error["code"]) == (5, code)
    assert said in json.dumps(error)


def test_an_agent_that_is_not_there(tmp_path: Path) -> None:
    exit_code, error = refuse(tmp_path, "nowhere.py", "--port", 0)
    assert (exit_code, error["code"]) == (5, "agent-not-found")
    assert "nowhere.py" in error["what"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_setup_that_raises(tmp_path: Path, workers: int) -> None:
    (tmp_path / "broken.py").write_text(
        _CLASS.format(name="Broken") + "    async def setup(self): raise RuntimeError('no database')\n"
    )
    exit_code, error = refuse(tmp_path, "broken.py", "--port", 0, "--workers", workers)
    assert (exit_code, error["code"]) == (5, "agent-import")
    assert "no database" in json.dumps(error)


def test_a_port_that_is_taken_names_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        _, port = holder.getsockname()
        exit_code, error = refuse(tmp_path, BEHAVIOURS, "--port", port)
    assert (exit_code, error["code"]) == (4, "address-in-use")
    assert str(port) in error["what"]
    assert f"process {os.getpid()}" in error["why"]


def test_two_servers_on_one_port(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-delay", 0) as server:
        _, error = refuse(tmp_path, BEHAVIOURS, "--port", server.port)
        assert f"process {server.process.pid}" in error["why"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is privileged for root")
def test_a_privileged_port(tmp_path: Path) -> None:
    exit_code, error = refuse(tmp_path, BEHAVIOURS, "--port", 80)
    assert (exit_code, error["code"]) == (4, "address-not-allowed")


@pytest.mark.story("F9")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.invalid"])  # noqa: S104 - what is tested
def test_a_public_address_needs_a_token(tmp_path: Path, host: str) -> None:
    exit_code, error = refuse(tmp_path, BEHAVIOURS, "--port", 0, "--host", host)
    assert (exit_code, error["code"]) == (4, "address-not-allowed")
    assert "--insecure" in error["fix"]
    assert "TOKEN" in error["fix"]


@pytest.mark.parametrize("more", [("--insecure",), ()])
def test_a_public_address_with_a_token_or_in_full_knowledge(tmp_path: Path, more: tuple[str, ...]) -> None:
    env = {} if more else {"SENTIENT_SERVER_TOKEN": "a-token-that-is-long"}
    with serve(tmp_path, "--host", "0.0.0.0", "--drain-delay", 0, *more, env=env):  # noqa: S104 - what is tested
        pass


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    exit_code, error = refuse(tmp_path, BEHAVIOURS, "--port", 0, "--host", "192.0.2.1", "--insecure")
    assert (exit_code, error["code"]) == (4, "address-not-allowed")


@pytest.mark.parametrize(
    "flags", [("--port", "70000"), ("--workers", "0"), ("--on-disconnect", "explode"), ("--store", "x:y")]
)
def test_a_flag_that_makes_no_sense(tmp_path: Path, flags: tuple[str, ...]) -> None:
    code, error = refuse(tmp_path, BEHAVIOURS, *flags)
    assert (code, error["code"]) == (2, "usage")


@pytest.mark.parametrize("store", ["sqlite:{}/file/runs.db", "file:{}/file/runs"])
def test_a_store_that_cannot_be_opened(tmp_path: Path, store: str) -> None:
    (tmp_path / "file").touch()
    _, error = refuse(tmp_path, BEHAVIOURS, "--port", 0, "--store", store.format(tmp_path))
    assert error["code"] == "store"


def test_a_store_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "runs.db").write_bytes(b"this is no database, whatever its name says" * 100)
    _, error = refuse(tmp_path, BEHAVIOURS, "--port", 0, "--store", "sqlite:runs.db")
    assert error["code"] == "store"
