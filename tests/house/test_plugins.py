"""The suite's own guards catch what they are for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections import Counter

import pytest

from tests.plugins.alone import ALONE
from tests.plugins.doors import is_loopback
from tests.plugins.isolation import REPOSITORY

_NAMES = ["measuring", "isolation", "doors", "leaks", "swept", "coroutines"]
_SUITE = {
    "doors": """
        import os, pty, socket, subprocess, sys, pytest
        pytestmark = pytest.mark.story("1.1")
        @pytest.fixture(scope="module")
        def served(): subprocess.run([sys.executable, "-m", "sentient_cli", "--version"], check=True)
        def test_neither(): pass
        def test_another_program(): subprocess.run(["git", "--version"], check=True)
        def test_its_name_as_a_part(): subprocess.run([sys.executable, "-c", "'/a/sentient_cli'"], check=True)
        def test_command(): subprocess.run([sys.executable, "-m", "sentient_cli", "--version"], check=True)
        def test_command_in_a_child(): os.waitpid(pty.fork()[0] or os.execv("/bin/sh", ["sh", "-c", ": sentient"]), 0)
        def test_fixture(served): pass
        def test_fixture_that_was_there(served): pass
        def test_connection():
            with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()): pass
    """,
    "network": """
        import asyncio, socket
        def test_address(): socket.create_connection(("192.0.2.1", 80))
        def test_name(): socket.getaddrinfo("example.com", 80)
        def test_datagram():
            with socket.socket(type=socket.SOCK_DGRAM) as sender: sender.sendto(b"x", ("192.0.2.1", 80))
        async def test_loop(): await asyncio.open_connection("192.0.2.1", 80)
    """,
    "leaks": """
        import asyncio, threading
        event = threading.Event()
        def test_thread(monkeypatch):
            monkeypatch.setattr("tests.plugins.leaks._PATIENCE", 0)
            threading.Thread(target=event.wait, daemon=True).start()
        async def test_task():
            global kept
            kept = asyncio.ensure_future(asyncio.Event().wait())
        async def test_cancelled_task(): asyncio.ensure_future(asyncio.Event().wait()).cancel()
        def test_end(): event.set()
    """,
    "stubborn": """
        import asyncio
        async def stay():
            while True:
                try: await asyncio.Event().wait()
                except asyncio.CancelledError: pass
        async def test_left(monkeypatch):
            monkeypatch.setattr("tests.plugins.coroutines._PATIENCE", 0.05)
            global kept
            kept = asyncio.create_task(stay(), name="the one that stays")
            await asyncio.sleep(0)
        async def test_next(): pass
    """,
    "hypothesis": """
        import asyncio
        from hypothesis import given, strategies as st
        @given(st.integers())
        async def test_all(number): await asyncio.sleep(0)
        @given(st.integers())
        async def test_some(number): assert number < 5
    """,
    "swept": """
        import base64
        from sentient_cli import paths
        from tests.support.stored_keys import KEY
        def test_nothing(): pass
        def test_elsewhere(tmp_path): (tmp_path / "work" / "file").write_text(KEY)
        def test_mask(): _write(b"a line with [redacted]")
        def test_key(): _write(KEY.encode())
        def test_form(): _write(b"{" + base64.b64encode(b"x" + KEY.encode()))
        def test_project(tmp_path):
            (tmp_path / "work" / "a" / ".sentient" / "runs").mkdir(parents=True)
            (tmp_path / "work" / "a" / ".sentient" / "runs" / "one").write_text(KEY[::-1])
        def _write(data):
            paths.crash_dir().mkdir(parents=True)
            (paths.crash_dir() / "report").write_bytes(data)
    """,
    "environment": """
        import os
        from pathlib import Path
        def test_bare(tmp_path):
            assert not [name for name in os.environ if name.startswith(("SENTIENT_", "OPENAI_"))]
            assert Path.home().parent == tmp_path == Path.cwd().parent
    """,
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a suite of its own says under the same guards; one for all, for they take a second to load."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = story\n")
    for name, source in _SUITE.items():
        (folder / f"test_{name}.py").write_text(textwrap.dedent(source))
    plugins = [part for name in _NAMES for part in ("-p", f"tests.plugins.{name}")]
    options = ["-W", "error", "-p", "no:cacheprovider", "-rA", "--color=no"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    own = {"PYTHONPATH": str(REPOSITORY), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other plugins take seconds to load
    secrets = {"SENTIENT_SERVER_PORT": "1", "OPENAI_API_KEY": "secret"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options],
        cwd=folder,
        env=bare | own | secrets,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    ).stdout


def _outcomes(said: str, name: str) -> Counter[str]:
    return Counter(re.findall(rf"^(PASSED|FAILED|ERROR) test_{name}\.py::", said, re.MULTILINE))


def test_a_story_mark_needs_our_command_line_or_a_connection(said: str) -> None:
    assert _outcomes(said, "doors") == {"FAILED": 3, "PASSED": 5}


def test_nothing_leaves_loopback(said: str) -> None:
    assert _outcomes(said, "network") == {"FAILED": 4}


@pytest.mark.skipif(ALONE not in os.environ, reason="this system gives the suite no network of its own")
def test_what_a_test_starts_does_not_leave_it_either() -> None:
    tried = "import socket; print(*socket.if_nameindex()); socket.create_connection(('192.0.2.1', 80), 5)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", tried], capture_output=True, text=True, check=False)
    assert done.stdout == "(1, 'lo')\n"
    assert "Network is unreachable" in done.stderr


def test_a_key_in_what_is_kept_fails_the_test(said: str) -> None:
    assert _outcomes(said, "swept") == {"PASSED": 6, "ERROR": 3}


def test_what_is_left_behind_fails_the_test(said: str) -> None:
    assert _outcomes(said, "leaks") == {"FAILED": 1, "ERROR": 1, "PASSED": 3}


def test_a_task_that_ignores_its_end_is_named_and_holds_nobody(said: str) -> None:
    assert _outcomes(said, "stubborn") == {"FAILED": 1, "PASSED": 1}
    assert re.search(r"tasks that ignore their end: .*the one that stays", said)


def test_coroutines_run_under_hypothesis_too(said: str) -> None:
    assert _outcomes(said, "hypothesis") == {"FAILED": 1, "PASSED": 1}


def test_the_environment_is_bare(said: str) -> None:
    assert _outcomes(said, "environment") == {"PASSED": 1}


@pytest.mark.parametrize("host", ["::ffff:127.0.0.1", b"127.9.9.9", "::1%lo", "agent.localhost"])
def test_every_spelling_of_loopback_is_known(host: str | bytes) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["::ffff:192.0.2.1", "localhost.example.com", "10.0.0.1", "fe80::1", "<broadcast>"])
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)
