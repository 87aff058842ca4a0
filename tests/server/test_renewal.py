"""SIGHUP: a server that runs takes up other settings of models, and what is wrong with them changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentient_cli.server import hangup
from tests.cli.llm_command_kit import chat_answer
from tests.server.live_kit import REFUSED, settings, start, text_of
from tests.support.llm_server import LLMServer
from tests.support.served import Served, serve
from tests.support.wire import Wire, ask, ask_all

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")


@pytest.fixture(name="first")
def _first() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("One")) as server:
        yield server


@pytest.fixture(name="second")
def _second() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("Two")) as server:
        yield server


def _write(place: Path, model: str, *servers: LLMServer, more: str = "") -> None:
    (place / "sentient.toml").write_text(settings(model, *servers, more=more))


def _renew(server: Served, said: str, times: int = 1) -> list[str]:
    """Tell it to read the settings again; what it says of it."""
    since, found = len(server.lines), list[str]()
    server.signal(signal.SIGHUP)
    while len(found) < times:
        line = server.wait_line(f".*{said}.*", since=since)[0]
        found.append(line)
        since = server.lines.index(line) + 1
    return found


@pytest.mark.story("3.3")
def test_another_model_answers_and_a_stream_ends_as_it_began(
    tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    start(tmp_path, first)
    gate = threading.Event()
    first.answer(dataclasses.replace(chat_answer("Slow ", "but ", "whole"), gate=gate))
    with serve(tmp_path, agent=tmp_path / "asker.py") as server, Wire(server.address) as wire:
        frames = ask(wire, "Go").frames()
        begun = next(frames)
        _write(tmp_path, "second:large", first, second)
        (said,) = _renew(server, "The settings are taken")
        assert "the model is second:large, from " in said
        assert "sentient.toml:2" in said
        assert text_of(ask_all(server.address, "Go")) == "Two"
        gate.set()
        assert text_of([begun, *frames]) == "Slow but whole"
        first.wait_open(0)  # nobody asks it any more
    assert (len(first.requests), len(second.requests)) == (1, 1)


@pytest.mark.story("3.3")
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, first: LLMServer) -> None:
    start(tmp_path, first)
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        _write(tmp_path, "first:small", first, more='failover = "maybe"')
        (said,) = _renew(server, REFUSED)
        assert "llm.failover" in said
        assert "sentient.toml:3" in said
        _write(tmp_path, "nobody:large", first)
        (said,) = _renew(server, REFUSED)
        assert "The model 'nobody:large' leads nowhere" in said
        assert "sentient.toml:2" in said
        _write(tmp_path, "openai:gpt-5.4-mini", first)
        (said,) = _renew(server, REFUSED)
        assert "OPENAI_API_KEY" in said
        same = '.variants = { control = {}, b = { model = "first:small" } }'
        _write(tmp_path, "first:small", first, more=f"[experiments]\na{same}\nb{same}")
        (said,) = _renew(server, REFUSED)
        assert "both set model" in said
        assert "sentient.toml:5" in said
        assert text_of(ask_all(server.address, "Go")) == "One"
        _write(tmp_path, "first:small", first, more="[server]\nmax_runs = 5")
        _renew(server, "What has changed of `server.max_runs` is taken when the server starts again")


@pytest.mark.story("3.3")
def test_a_key_of_the_env_file_is_read_again(tmp_path: Path, first: LLMServer) -> None:
    start(tmp_path, first)
    with (tmp_path / "sentient.toml").open("a") as file:
        file.write('api_key_env = "MY_KEY"\n')
    (tmp_path / ".env").write_text("MY_KEY=old-key-1234\n")
    with serve(tmp_path, agent=tmp_path / "asker.py") as server:
        ask_all(server.address, "Go")
        (tmp_path / ".env").write_text("MY_KEY=new-key-1234\n")
        _renew(server, "The settings are taken")
        ask_all(server.address, "Go")
    assert [each.headers["authorization"] for each in first.requests] == ["Bearer old-key-1234", "Bearer new-key-1234"]


@pytest.mark.story("3.3")
def test_what_the_agent_did_in_its_setup_stays(tmp_path: Path, second: LLMServer) -> None:
    (tmp_path / "own.py").write_text(
        """
from sentient_cli import llm
from sentient_cli.llm import OfflineProvider

class Own(OfflineProvider):
    provider_id = "own"

class Asker:
    name = "asker"

    async def setup(self):
        self.models = llm.get_manager()
        self.models.register(Own())
        self.models.groups = {"pair": ["own:echo"]}

    async def assist(self, session, query, response):
        await response.stream_llm("ANSWER", self.models.stream("hi", model=query.prompt))

agent = Asker()
"""
    )
    with serve(tmp_path, agent=tmp_path / "own.py") as server:
        _write(tmp_path, "second:large", second, second)
        _renew(server, "The settings are taken")
        assert text_of(ask_all(server.address, "own:echo")) == "hi"
        assert text_of(ask_all(server.address, "pair")) == "hi"
        assert text_of(ask_all(server.address, "second:large")) == "Two"


@pytest.mark.slow
@pytest.mark.story("3.3")
def test_each_of_several_workers_takes_it(tmp_path: Path, first: LLMServer, second: LLMServer) -> None:
    start(tmp_path, first)
    with serve(tmp_path, "--workers", 2, "--drain-delay", 0, agent=tmp_path / "asker.py") as server:
        _write(tmp_path, "second:large", first, second, more='failover = "maybe"')
        assert len(_renew(server, REFUSED)) == 1  # by the supervisor alone
        _write(tmp_path, "second:large", first, second)
        _renew(server, "The settings are taken", times=2)
        assert [text_of(ask_all(server.address, "Go")) for _ in range(6)] == ["Two"] * 6
    assert not first.requests


async def test_a_terminal_that_goes_away_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = tmp_path / "tty"
    terminal.touch()
    monkeypatch.setattr(hangup, "_TERMINAL", os.fspath(terminal))
    renewed, stopped = asyncio.Event(), asyncio.Event()
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the suite under nohup
    try:
        with hangup.obeying_hangups(renewed.set, stopped.set):
            signal.raise_signal(signal.SIGHUP)
            await renewed.wait()
            assert not stopped.is_set()
            terminal.unlink()
            signal.raise_signal(signal.SIGHUP)
            await stopped.wait()
    finally:
        signal.signal(signal.SIGHUP, before)
