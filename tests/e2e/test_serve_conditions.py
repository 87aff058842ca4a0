"""``sentient serve`` where the disk is locked or full, or the locale knows no UTF-8; and with sessions of its own."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.support.puppet import Puppet
from tests.support.served import BEHAVIOURS, Served, command, environment, serve
from tests.support.wire import Wire, ask, ask_all, dig, fetch_json, interaction, session

pytestmark = pytest.mark.story("14.8")

_QUICK = {"SENTIENT_SERVER_DRAIN_DELAY": "0"}


def turns(server: Served, rest: str, chat: object = None) -> object:
    return dig(ask_all(server.address, f"turns {rest}", chat)[0].json, "content", "turns")


@pytest.mark.slow
@pytest.mark.story("8.7")
def test_sessions_are_remembered_over_a_restart_when_that_is_on(tmp_path: Path) -> None:
    env = {**_QUICK, "SENTIENT_SERVER_SESSION_MEMORY": "true"}
    with serve(tmp_path, "--store", "sqlite:runs.db", env=env) as server:
        assert turns(server, "one") == []
    with serve(tmp_path, "--store", "sqlite:runs.db", env=env) as server:
        assert turns(server, "two") == [["turns one", ""]]


def test_sessions_are_not_remembered_otherwise(tmp_path: Path) -> None:
    with serve(tmp_path, env=_QUICK) as server:
        assert [turns(server, "one"), turns(server, "two")] == [[], []]


@pytest.mark.slow
def test_a_store_that_is_locked_stops_no_stream(tmp_path: Path) -> None:
    with serve(tmp_path, "--store", "sqlite:runs.db", env=_QUICK) as server:
        ask_all(server.address, "echo x")
        lock = sqlite3.connect(tmp_path / "runs.db", isolation_level=None, timeout=30)
        try:
            lock.execute("BEGIN IMMEDIATE")
            with Puppet() as puppet, Wire(server.address) as wire:
                answer = ask(wire, puppet.prompt)
                frames = answer.frames()
                puppet.take()
                for number in range(200):  # a wait for the lock would be seconds for each
                    puppet.do("text", "A", str(number))
                    assert next(frames).content == str(number)
                    assert fetch_json(server.address, "/health/live")[0] == 200
                puppet.end()
                assert [frame.event for frame in frames] == ["done"]
            lock.execute("COMMIT")
        finally:
            lock.close()
    with serve(tmp_path, "--store", "sqlite:runs.db", env=_QUICK) as server, Wire(server.address) as wire:
        again = list(wire.request("GET", f"/runs/{answer.run_id}/events").frames())
        assert [frame.content for frame in again[:-1]] == [str(number) for number in range(200)]


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")  # its disk would be full for the figures too
@pytest.mark.parametrize("store", ["sqlite:runs.db", "file:runs"])
def test_a_full_disk_stops_no_stream(tmp_path: Path, store: str) -> None:
    future = "from __future__ import annotations\n"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
    agent = tmp_path / "limited.py"
    agent.write_text(BEHAVIOURS.read_text().replace(future, future + limit, 1))
    with serve(tmp_path, "--store", store, agent=agent, env=_QUICK) as server:
        frames = ask_all(server.address, "count 3000")
        assert [frame.content for frame in frames[:-1]] == [str(number) for number in range(3000)]
        server.wait_line("is not stored to its end")
        assert ask_all(server.address, "echo alive")[0].content == "alive"
        assert fetch_json(server.address, "/health/live")[0] == 200


@pytest.mark.parametrize(
    "locale", ["C", *(pytest.param(name, marks=pytest.mark.slow) for name in ("POSIX", "en_US.ISO-8859-1"))]
)
def test_without_a_locale_that_knows_utf8(tmp_path: Path, locale: str) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text(
        "async def assist(session, query, response):\n"
        "    print('größer 😀')\n"
        "    await response.text_block('Übung', query.prompt + ' größer 😀')\n",
        encoding="utf-8",
    )
    env = {**_QUICK, "LANG": locale, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with serve(tmp_path, agent=agent, env=env, anew=True) as server:
        first, done = ask_all(server.address, "é")
        assert (first.event, first.content, done.event) == ("Übung", "é größer 😀", "done")


def test_without_standard_input_and_output(tmp_path: Path) -> None:
    agent = tmp_path / "agent.py"
    agent.write_text(
        "import sys\n"
        "async def assist(session, query, response):\n"
        "    print('heard by nobody')\n"
        "    await response.text_block('A', repr(sys.stdin.read()))\n"
    )
    closed = ["sh", "-c", 'exec "$@" <&- >&-', "sh", *command("serve", agent, "--port", 0)]
    with subprocess.Popen(
        closed, cwd=tmp_path, env=environment(tmp_path, _QUICK), stderr=subprocess.PIPE, text=True
    ) as process:
        server = Served(process)
        try:
            server.port = int(server.wait_line(r"http://127\.0\.0\.1:(\d+)").group(1))
            assert ask_all(server.address, "hi")[0].content == "''"
            server.signal(signal.SIGINT)
            assert server.wait() == 0
        finally:
            server.stop_if_running()


def test_a_session_is_whatever_the_client_sends(tmp_path: Path) -> None:
    env = {**_QUICK, "SENTIENT_SERVER_SESSION_MEMORY": "true"}
    with serve(tmp_path, env=env) as server:
        turns(server, "kept")
        assert turns(server, "x", session([interaction("mine")])) == [["mine", ""]]
