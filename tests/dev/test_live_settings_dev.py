"""Settings that are saved while `sentient dev` runs hold for the next answers; those under way end as they began."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sentient_cli.config import ConfigurationManager
from sentient_cli.config.versions import Versions
from tests.cli.llm_command_kit import chat_answer
from tests.dev.developing import body, developing, text_of, wait_until
from tests.server.live_kit import AGENT, settings
from tests.support.llm_server import LLMServer
from tests.support.wire import PATIENCE


@pytest.fixture(name="first")
def _first() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("One")) as server:
        yield server


@pytest.fixture(name="second")
def _second() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("Two")) as server:
        yield server


@pytest.mark.story("5.2", "E5.3")
def test_a_saved_file_holds_for_the_next_question_and_a_fault_for_none(
    tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "sentient.toml").write_text(settings("first:small", first))
    gate = threading.Event()
    first.answer(dataclasses.replace(chat_answer("Slow ", "but ", "whole"), gate=gate))
    with (
        developing(project, agent=AGENT) as dev,
        httpx.stream("POST", f"{dev.url}/assist", json=body("Go"), timeout=PATIENCE) as answer,
    ):
        lines = answer.iter_lines()
        begun = next(line for line in lines if "Slow" in line)
        mark = dev.write("sentient.toml", settings("second:large", first, second))
        assert dev.wait("reloaded", since=mark)["changed"] == ["sentient.toml"]
        assert dev.ask("Go") == "Two"
        gate.set()
        assert text_of("\n".join([begun, *lines])) == "Slow but whole"
        mark = dev.write("sentient.toml", settings("second:large", first, second, more='failover = "maybe"'))
        assert "sentient.toml:3:12" in str(dev.wait("broken", since=mark)["problem"])
        first.answer(chat_answer("One"))
        assert dev.ask("Go") == "Two"
        mark = dev.write("sentient.toml", settings("first:small", first, second))
        assert dev.wait("reloaded", since=mark)["mended"]
        assert dev.ask("Go") == "One"


@pytest.mark.slow
@pytest.mark.story("5.2")
def test_the_users_own_file_the_signal_and_a_program(
    tmp_path: Path, first: LLMServer, second: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, home = tmp_path / "project", tmp_path / "project-home"
    project.mkdir()
    (project / "sentient.toml").write_text(settings("", first, second).replace('model = ""', ""))
    own = home / ".config" / "sentient" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[llm]\nmodel = "first:small"\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    versions = Versions(own)
    with developing(project, agent=AGENT) as dev:
        assert dev.ask("Go") == "One"
        mark = dev.mark()
        own.write_text('[llm]\nmodel = "second:large"\n')
        dev.wait("reloaded", since=mark)
        assert dev.ask("Go") == "Two"
        mark = dev.mark()
        dev.process.send_signal(signal.SIGHUP)
        dev.wait("reloaded", since=mark)
        assert dev.ask("Go") == "Two"
        recorded = ("dev", '{ llm = { model = "second:large" } }')  # a moment after the code answers
        wait_until(lambda: [(each.means, each.settings) for each in versions.all()][-1:] == [recorded], "on record")
        mark = dev.mark()
        ConfigurationManager(project).update({"llm.model": "first:small"})
        dev.wait("reloaded", since=mark)
        assert dev.ask("Go") == "One"


@pytest.mark.story("5.2")
def test_what_is_not_watched_is_read_again_at_the_signal(tmp_path: Path, first: LLMServer, second: LLMServer) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "sentient.toml").write_text(settings("first:small", first, second))
    with developing(project, "--no-reload", agent=AGENT) as dev:
        assert dev.ask("Go") == "One"
        mark = dev.write("sentient.toml", settings("second:large", first, second))
        dev.process.send_signal(signal.SIGHUP)
        dev.wait("reloaded", since=mark)
        assert dev.ask("Go") == "Two"
