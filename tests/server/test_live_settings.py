"""Settings that are saved while a server runs: it takes them up by itself, whole, and between calls."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer
from tests.server.live_kit import REFUSED, TAKEN, settings, start, text_of
from tests.support import commands
from tests.support.llm_server import LLMServer
from tests.support.served import Served, serve
from tests.support.wire import Wire, ask, ask_all

_USERS = Path(".config", "sentient", "config.toml")


@pytest.fixture(name="first")
def _first() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("One")) as server:
        yield server


@pytest.fixture(name="second")
def _second() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("Two")) as server:
        yield server


def _said(server: Served, pattern: str, since: int) -> str:
    """The line that it says, at or after a number of lines."""
    return server.wait_line(f".*{pattern}.*", since=since)[0]


def _count(server: Served, text: str) -> int:
    return sum(text in line for line in server.lines)


@pytest.mark.story("5.2", "E5.3")
def test_a_saved_file_is_taken_and_a_call_that_has_begun_ends_as_it_began(
    tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    agent = start(tmp_path, first)
    gate = threading.Event()
    first.answer(dataclasses.replace(chat_answer("Slow ", "but ", "whole"), gate=gate))
    with serve(tmp_path, agent=agent) as server, Wire(server.address) as wire:
        frames = ask(wire, "Go").frames()
        begun = next(frames)
        (tmp_path / "sentient.toml").write_text(settings("second:large", first, second))
        said = _said(server, TAKEN, 0)
        assert "`llm.model` and `llm.providers.second` have changed" in said
        assert "the model is second:large, from " in said
        assert text_of(ask_all(server.address, "Go")) == "Two"
        gate.set()
        assert text_of([begun, *frames]) == "Slow but whole"
        assert _count(server, TAKEN) == 1


def _in_place(path: Path, text: str) -> None:
    path.write_text(text)


def _by_renaming(path: Path, text: str) -> None:
    beside = path.with_name("written.tmp")
    beside.write_text(text)
    beside.replace(path)


def _by_removing_it_first(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def _behind_a_link(path: Path, text: str) -> None:
    elsewhere = path.parent / "elsewhere" / path.resolve().name.replace("sentient", "other")
    elsewhere.parent.mkdir(exist_ok=True)
    elsewhere.write_text(text)
    if not path.is_symlink():
        path.unlink()
        path.symlink_to(elsewhere)


@pytest.mark.story("5.2")
@pytest.mark.parametrize("save", [_in_place, _by_renaming, _by_removing_it_first, _behind_a_link])
def test_however_it_is_saved(
    save: Callable[[Path, str], None], tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    agent = start(tmp_path, first)
    with serve(tmp_path, agent=agent) as server:
        for model, answer in (("second:large", "Two"), ("first:small", "One")):
            since = len(server.lines)
            save(tmp_path / "sentient.toml", settings(model, first, second))
            _said(server, TAKEN, since)
            assert text_of(ask_all(server.address, "Go")) == answer
        assert REFUSED not in "".join(server.lines)


@pytest.mark.story("5.2")
def test_a_directory_of_links_that_is_exchanged_as_kubernetes_does(
    tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    mounted, project = tmp_path / "mounted", tmp_path / "project"
    project.mkdir()
    agent = start(project, first)
    (project / "sentient.toml").unlink()
    for version, model in (("..1", "first:small"), ("..2", "second:large")):
        (mounted / version).mkdir(parents=True)
        (mounted / version / "sentient.toml").write_text(settings(model, first, second))
    (mounted / "..data").symlink_to("..1")
    (mounted / "sentient.toml").symlink_to("..data/sentient.toml")
    (project / "sentient.toml").symlink_to(mounted / "sentient.toml")
    with serve(project, agent=agent) as server:
        assert text_of(ask_all(server.address, "Go")) == "One"
        (mounted / "..data_tmp").symlink_to("..2")
        (mounted / "..data_tmp").replace(mounted / "..data")
        assert "the model is second:large" in _said(server, TAKEN, 0)
        assert text_of(ask_all(server.address, "Go")) == "Two"


@pytest.mark.slow
@pytest.mark.story("5.2")
def test_the_users_own_settings_and_variables(tmp_path: Path, first: LLMServer) -> None:
    project = tmp_path / "project"
    project.mkdir()
    agent = start(project, first)
    with (project / "sentient.toml").open("a") as file:
        file.write('api_key_env = "MY_KEY"\n')
    with serve(tmp_path, "--project", project, agent=agent) as server:
        (tmp_path / _USERS).parent.mkdir(parents=True)  # the directory is not there at first either
        (tmp_path / _USERS).write_text('[llm.groups]\nfast = ["first:tiny"]\n')
        assert "`llm.groups.fast` has changed" in _said(server, TAKEN, 0)
        since = len(server.lines)
        (project / ".env").write_text("MY_KEY=new-key-1234\n")
        assert "`MY_KEY` has changed" in _said(server, TAKEN, since)
        ask_all(server.address, "Go")
        since = len(server.lines)
        (project / ".env").unlink()
        assert "`MY_KEY` has changed" in _said(server, f"(?:{TAKEN}|{REFUSED})", since)
        assert first.requests[0].headers["authorization"] == "Bearer new-key-1234"
        assert "new-key-1234" not in "".join(server.lines)


@pytest.mark.story("5.2")
def test_what_is_wrong_is_told_once_with_its_place_and_taken_once_it_is_mended(
    tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    agent = start(tmp_path, first)
    file = tmp_path / "sentient.toml"
    with serve(tmp_path, agent=agent) as server:
        file.write_text(settings("second:large", first, second, more='failover = "maybe"'))
        assert "sentient.toml:3:12" in _said(server, REFUSED, 0)
        file.touch()
        assert text_of(ask_all(server.address, "Go")) == "One"
        since = len(server.lines)
        file.write_text("[llm\n")
        assert "sentient.toml" in _said(server, REFUSED, since)
        since = len(server.lines)
        file.write_text(settings("nobody:large", first))
        assert "The model 'nobody:large' leads nowhere" in _said(server, REFUSED, since)
        since = len(server.lines)
        file.write_text(settings("first:small", first))
        assert "nothing in them has changed" in _said(server, TAKEN, since)
        since = len(server.lines)
        file.write_text(settings("second:large", first, second))
        _said(server, TAKEN, since)
        assert text_of(ask_all(server.address, "Go")) == "Two"
        assert _count(server, REFUSED) == 3


@pytest.mark.story("5.2")
def test_a_command_changes_a_server_that_runs(tmp_path: Path, first: LLMServer, second: LLMServer) -> None:
    agent = start(tmp_path, first, second)
    with serve(tmp_path, agent=agent) as server:
        done = commands.run("config", "set", "llm.model", "second:large", directory=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "`llm.model` has changed" in _said(server, TAKEN, 0)
        assert text_of(ask_all(server.address, "Go")) == "Two"
        since = len(server.lines)
        assert commands.run("config", "set", "llm.failover", "maybe", directory=tmp_path).returncode == 3
        assert commands.run("config", "set", "llm.failover", "restart", directory=tmp_path).returncode == 0
        assert "`llm.failover` has changed" in _said(server, TAKEN, since)
        assert REFUSED not in "".join(server.lines)


def _empty(path: Path) -> None:
    path.write_text("")


@pytest.mark.slow
@pytest.mark.story("5.2")
@pytest.mark.parametrize("lose", [Path.unlink, _empty], ids=["gone", "empty"])
def test_a_project_that_has_lost_its_settings_keeps_them(
    lose: Callable[[Path], object], tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    agent = start(tmp_path, first)
    with serve(tmp_path, agent=agent) as server:
        lose(tmp_path / "sentient.toml")
        assert "There is no" in _said(server, REFUSED, 0)
        assert text_of(ask_all(server.address, "Go")) == "One"
        (tmp_path / "sentient.toml").write_text(settings("second:large", first, second))
        _said(server, TAKEN, 0)
        assert text_of(ask_all(server.address, "Go")) == "Two"


@pytest.mark.story("5.2")
def test_what_waits_for_the_next_start_is_named_and_what_need_not_is_taken(tmp_path: Path, first: LLMServer) -> None:
    agent = start(tmp_path, first)
    file = tmp_path / "sentient.toml"
    with serve(tmp_path, agent=agent) as server:
        ask_all(server.address, "Go")
        _said(server, "POST /assist", 0)
        file.write_text(settings("first:small", first) + '[server]\nmax_runs = 5\ntoken = "a-token-nobody-sees"\n')
        named = _said(server, "is taken when the server starts again", 0)
        assert "`server.max_runs`" in named
        assert "`server.token`" in named
        file.write_text(settings("first:small", first) + '[log]\nlevel = "warning"\n')
        server.wait_line("`log.level` has changed")
        ask_all(server.address, "Go")
        since = len(server.lines)
        file.write_text(settings("first:small", first))
        _said(server, TAKEN, since)
        ask_all(server.address, "Go")
        _said(server, "POST /assist", since)
        assert _count(server, "POST /assist") == 2  # and not those of the time between
        assert "a-token-nobody-sees" not in "".join(server.lines)


@pytest.mark.story("5.2")
def test_settings_are_taken_although_no_version_can_be_kept(
    tmp_path: Path, first: LLMServer, second: LLMServer
) -> None:
    agent = start(tmp_path, first)
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "state").write_text("no directory")
    with serve(tmp_path, agent=agent) as server:
        server.wait_line("What has changed is not among the versions of the settings")
        (tmp_path / "sentient.toml").write_text(settings("second:large", first, second))
        _said(server, TAKEN, 0)
        assert text_of(ask_all(server.address, "Go")) == "Two"
