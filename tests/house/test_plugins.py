"""The suite's own guards catch what they are for."""

from __future__ import annotations

import pytest

from tests.plugins.doors import is_loopback
from tests.plugins.isolation import REPOSITORY

_NAMES = ["isolation", "doors", "leaks", "coroutines"]


@pytest.fixture
def guarded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite of its own under the same guards."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins of this environment take seconds to load
    pytester.makeini("[pytest]\nmarkers = story\n")
    return pytester


def _run(guarded: pytest.Pytester, source: str) -> pytest.RunResult:
    guarded.makepyfile(source)
    plugins = [part for name in _NAMES for part in ("-p", f"tests.plugins.{name}")]
    return guarded.runpytest_subprocess(*plugins, "-W", "error", "-p", "no:cacheprovider")


def _outcomes(guarded: pytest.Pytester, source: str) -> dict[str, int]:
    return _run(guarded, source).parseoutcomes()


def test_a_story_mark_needs_a_process_or_a_connection(guarded: pytest.Pytester) -> None:
    source = """
        import socket, subprocess, sys, pytest
        pytestmark = pytest.mark.story("1.1")
        def test_neither(): pass
        def test_process(): subprocess.run([sys.executable, "-c", ""], check=True)
        def test_connection():
            with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()): pass
    """
    assert _outcomes(guarded, source) == {"failed": 1, "passed": 2}


def test_nothing_leaves_loopback(guarded: pytest.Pytester) -> None:
    source = """
        import asyncio, socket
        def test_address(): socket.create_connection(("192.0.2.1", 80))
        def test_name(): socket.getaddrinfo("example.com", 80)
        def test_datagram():
            with socket.socket(type=socket.SOCK_DGRAM) as sender: sender.sendto(b"x", ("192.0.2.1", 80))
        async def test_loop(): await asyncio.open_connection("192.0.2.1", 80)
    """
    assert _outcomes(guarded, source) == {"failed": 4}


def test_what_is_left_behind_fails_the_test(guarded: pytest.Pytester) -> None:
    source = """
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
    """
    assert _outcomes(guarded, source) == {"failed": 1, "errors": 1, "passed": 3}


def test_a_task_that_ignores_its_end_is_named_and_holds_nobody(guarded: pytest.Pytester) -> None:
    source = """
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
    """
    done = _run(guarded, source)
    assert done.parseoutcomes() == {"failed": 1, "passed": 1}
    done.stdout.fnmatch_lines(["*tasks that ignore their end: *the one that stays*"])


def test_coroutines_run_under_hypothesis_too(guarded: pytest.Pytester) -> None:
    source = """
        import asyncio
        from hypothesis import given, strategies as st
        @given(st.integers())
        async def test_all(number): await asyncio.sleep(0)
        @given(st.integers())
        async def test_some(number): assert number < 5
    """
    assert _outcomes(guarded, source) == {"failed": 1, "passed": 1}


def test_the_environment_is_bare(guarded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIENT_SERVER_PORT", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    source = """
        import os
        from pathlib import Path
        def test_bare(tmp_path):
            assert not [name for name in os.environ if name.startswith(("SENTIENT_", "OPENAI_"))]
            assert Path.home().parent == tmp_path == Path.cwd().parent
    """
    assert _outcomes(guarded, source) == {"passed": 1}


@pytest.mark.parametrize("host", ["::ffff:127.0.0.1", b"127.9.9.9", "::1%lo", "agent.localhost"])
def test_every_spelling_of_loopback_is_known(host: str | bytes) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["::ffff:192.0.2.1", "localhost.example.com", "10.0.0.1", "fe80::1", "<broadcast>"])
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)
