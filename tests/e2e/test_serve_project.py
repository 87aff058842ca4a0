"""``sentient serve`` in a project: everything comes from its configuration, and nothing is loaded anew."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.puppet import Puppet
from tests.support.served import BEHAVIOURS, Served, environment
from tests.support.wire import Wire, ask, ask_all

_PROJECT = """
agent = "answers.py:chosen"

[server]
port = 0
drain_delay = 0
max_runs = 9

[log]
format = "json"

[profile.one.server]
max_runs = 5
"""
_AGENTS = """
import os
from sentient_cli import agent

@agent
async def other(session, query, response):
    await response.text_block("ANSWER", "other")

@agent
async def chosen(session, query, response):
    await response.text_block("ANSWER", "first " + os.environ.get("OF_THE_FILE", "") + os.environ.get("OF_BOTH", ""))
"""


@contextlib.contextmanager
def serving(home: Path, *flags: object, **env: str) -> Generator[Served]:
    """``sentient serve`` with these flags and no others."""
    arguments = map(str, ("serve", *flags))
    server = Served(commands.start(*arguments, directory=home, environment=environment(home, env)))
    try:
        server.port = int(server.wait_line(r"\bServing \S+ on http://[^\s\"]+:(\d+)")[1])
        yield server
    finally:
        assert server.stop() == 0, server.lines


@pytest.mark.story("14.8")
def test_everything_comes_from_the_project_and_nothing_is_loaded_anew(tmp_path: Path) -> None:
    (tmp_path / "sentient.toml").write_text(_PROJECT)
    (tmp_path / "answers.py").write_text(_AGENTS)
    (tmp_path / ".env").write_text("OF_THE_FILE=file\nOF_BOTH=file\n")
    (tmp_path / "below").mkdir()
    with serving(tmp_path / "below", "--log-format", "text", OF_BOTH=" shell") as server:
        assert ask_all(server.address, "x")[0].content == "first file shell"
        server.wait_line(r"^\d\d:\d\d:\d\d info +POST /assist 200")
        assert any(".env" in line for line in server.lines)
        (tmp_path / "answers.py").write_text(_AGENTS.replace("first", "second"))
        assert ask_all(server.address, "x")[0].content == "first file shell"


@pytest.mark.story("14.8")
@pytest.mark.parametrize(
    ("flags", "env", "places"),
    [
        pytest.param((), {}, 3, id="project", marks=pytest.mark.slow),
        pytest.param(("--profile", "one"), {}, 2, id="profile", marks=pytest.mark.slow),
        pytest.param(("--profile", "one"), {"SENTIENT_SERVER_MAX_RUNS": "1"}, 1, id="environment"),
    ],
)
def test_each_layer_wins_over_those_below(
    tmp_path: Path, flags: tuple[str, ...], env: dict[str, str], places: int
) -> None:
    (tmp_path / "sentient.toml").write_text(_PROJECT.replace("max_runs = 9", "max_runs = 3").replace("= 5", "= 2"))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(tmp_path, BEHAVIOURS, *flags, **env))
        for _ in range(places):
            puppet, wire = stack.enter_context(Puppet()), stack.enter_context(Wire(server.address))
            assert ask(wire, puppet.prompt).status == 200
            puppet.take()
        last = stack.enter_context(Wire(server.address))
        assert ask(last, "one too many").status == 503
