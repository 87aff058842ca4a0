"""Settings that change while a server is busy: no call fails, and none gets a bit of one state and a bit of another."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from sentient_cli.config import ConfigurationManager
from tests.cli.llm_command_kit import chat_answer
from tests.dev.developing import wait_until
from tests.server.live_kit import AGENT, REFUSED, TAKEN, Load, settings, start
from tests.support import served
from tests.support.llm_server import Answer, LLMServer, Received
from tests.support.served import serve
from tests.support.wire import Address, ask_all


class _Provider:
    """Remembers which model it was asked for, and with which seed."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, object]] = []
        self._lock = threading.Lock()

    def __call__(self, request: Received) -> Answer:
        asked = request.json()
        with self._lock:
            self.asked.append((asked["model"], asked.get("seed")))
        return chat_answer("Yes")


@pytest.mark.story("5.2", "E5.3")
@pytest.mark.parametrize(
    ("rate", "threads", "changes"), [(20, 4, 4), pytest.param(200, 16, 50, marks=pytest.mark.slow)]
)
def test_no_call_fails_and_each_is_of_one_state(tmp_path: Path, rate: float, threads: int, changes: int) -> None:
    provider = _Provider()
    with LLMServer(provider) as models:
        agent = start(tmp_path, models)
        file = tmp_path / "sentient.toml"
        file.write_text(_state(0, models))
        with serve(tmp_path, agent=agent) as server, Load(server.address, rate, threads, "Yes".__eq__) as load:
            for number in range(1, changes + 1):
                since = len(server.lines)
                if number % 5 == 0:  # what is wrong disturbs nobody either
                    file.write_text("[llm\n")
                    server.wait_line(REFUSED, since=since)
                file.write_text(_state(number, models))
                server.wait_line(f"{TAKEN}.*first:model-{number},", since=since)
            last = len(provider.asked)
            ask_all(server.address, "Go")
        assert load.failed == []
        assert load.asked >= threads  # as many as the machine manages of so many a second
        assert provider.asked[last:]
        assert ("model-0", 0) not in provider.asked[last + threads :]
        assert {asked for asked in provider.asked if asked[0] != f"model-{asked[1]}"} == set()


def _state(number: int, models: LLMServer) -> str:
    return settings(f"first:model-{number}", models, more=f"[llm.parameters]\nseed = {number}")


@pytest.mark.story("5.2")
def test_a_program_changes_a_server_through_its_settings(tmp_path: Path) -> None:
    provider = _Provider()
    with LLMServer(provider) as models:
        agent = start(tmp_path, models)
        with serve(tmp_path, agent=agent) as server:
            config = ConfigurationManager(tmp_path)
            config.update({"llm.model": "first:other", "llm.parameters.seed": 7})
            said = server.wait_line(f"{TAKEN}.*")[0]
            assert "`llm.model` and `llm.parameters.seed` have changed (version " in said
            ask_all(server.address, "Go")
            since = len(server.lines)
            config.rollback(config.history()[0].number)
            server.wait_line(TAKEN, since=since)
            ask_all(server.address, "Go")
            means = [version.means for version in config.history()]
    assert provider.asked == [("other", 7), ("small", None)]
    assert means[1:] == ["api", "rollback"]


@pytest.mark.slow
@pytest.mark.story("5.2")
def test_each_of_several_workers_takes_a_saved_file(tmp_path: Path) -> None:
    with LLMServer(chat_answer("One")) as first, LLMServer(chat_answer("Two")) as second:
        agent = start(tmp_path, first)
        file = tmp_path / "sentient.toml"
        with serve(tmp_path, "--workers", 2, "--drain-delay", 0, agent=agent) as server:
            file.write_text(settings("second:large", first, second, more='failover = "maybe"'))
            server.wait_line(REFUSED)
            since = len(server.lines)
            file.write_text(settings("second:large", first, second))
            for _ in range(2):
                server.wait_line(TAKEN, since=since)
                since = next(at for at, line in enumerate(server.lines) if at >= since and TAKEN in line) + 1
            for _ in range(6):
                ask_all(server.address, "Go")
            assert sum(REFUSED in line for line in server.lines) == 1  # by the supervisor alone
        assert (len(first.requests), len(second.requests)) == (0, 6)


@pytest.mark.slow
@pytest.mark.story("5.2")
def test_a_worker_that_dies_while_settings_are_refused_ends_nothing_and_comes_back(tmp_path: Path) -> None:
    few = "from sentient_cli.server import workers; workers._MAX_EARLY_FAILURES = 1; workers._MAX_PAUSE = 0.1"
    with LLMServer(chat_answer("One")) as models:
        agent = start(tmp_path, models)
        agent.write_text("import os\n" + AGENT + '    await response.respond("PID", str(os.getpid()))\n')
        file = tmp_path / "sentient.toml"
        server = served.start(tmp_path, "--workers", 2, "--drain-delay", 0, agent=agent, prelude=few)
        try:
            server.port = int(server.wait_line(r"Serving .* on http://\S+:(\d+)")[1])
            file.write_text(settings("first:small", models, more='failover = "maybe"'))
            server.wait_line(REFUSED)
            os.kill(int(_pid(server.address)), signal.SIGKILL)
            since = 0
            for _ in range(4):
                server.wait_line("is started again", since=since)
                since = next(at for at, line in enumerate(server.lines) if at >= since and "started again" in line) + 1
            (other,) = {_pid(server.address) for _ in range(4)}
            file.write_text(settings("first:small", models))
            wait_until(lambda: _pid(server.address) != other, "the other worker")
        finally:
            assert server.stop() == 0


def _pid(address: Address) -> str:
    """The process of a worker that answers."""
    return str(next(frame.content for frame in ask_all(address, "Go") if frame.event == "PID"))
