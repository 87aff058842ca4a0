"""Agents of the public framework in our runs: its errors, its sessions, its server's interface."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import pytest

from sentient_cli.compat import adapt, load_agent
from sentient_cli.compat.adapting import FrameworkAgent
from sentient_cli.errors import AgentImportError, AgentNotFoundError
from sentient_cli.runtime.agent import Agent
from sentient_cli.testing import AgentRun, make_session, run_agent
from tests.compat.framework_kit import CATCHING, REMEMBERING, absent, framework
from tests.plugins.isolation import REPOSITORY

__all__ = ["absent", "framework"]

EXAMPLE = REPOSITORY / "docs" / "examples" / "framework_agent.py"


def load(tmp_path: Path, code: str) -> FrameworkAgent:
    (tmp_path / "agent.py").write_text(code)
    return cast("FrameworkAgent", load_agent(None, project_dir=tmp_path).agent)


async def test_the_example_is_loaded_and_run(framework: None) -> None:
    found = load_agent(str(EXAMPLE), project_dir=EXAMPLE.parent)
    assert found.name == "SearchAgent"
    run = await run_agent(found.agent, "tea or coffee?")
    assert run.raise_for_outcome().names == ("SEARCH", "SOURCES", "FINAL_RESPONSE")
    assert run.text().startswith("Tea is made of")
    del sys.modules["framework_agent"]


async def test_an_agent_catches_the_frameworks_errors(framework: None, tmp_path: Path) -> None:
    agent = load(tmp_path, CATCHING)
    run = await run_agent(agent, "hi")
    assert run.raise_for_outcome().text("TEXT") == "ab"
    assert run.errors[0].error_code == 503
    caught = cast("list[str]", getattr(agent.agent, "caught"))  # noqa: B009 - no type knows it
    assert caught == ["no json", "stream closed", *["response closed"] * 5, "no stream"]


async def test_an_agent_sees_the_frameworks_session(framework: None, tmp_path: Path) -> None:
    session = make_session([("hi", "hello"), ("how?", "well")], processor_id="chat")
    run = await run_agent(load(tmp_path, REMEMBERING), "now", session=session)
    lines = run.raise_for_outcome().json("LINES")["lines"]
    request_id = str(session.request_id)
    assert lines == ["hi", "hello", "how?", "well", True, True, "chat", "chat", "chat", request_id, "now", True]


async def test_setup_and_close_are_called(framework: None, tmp_path: Path) -> None:
    code = """\
from sentient_agent_framework import AbstractAgent
class Opening(AbstractAgent):
    steps = []
    def setup(self): self.steps.append("setup"); return self
    async def assist(self, session, query, response_handler): self.steps.append("assist")
    async def aclose(self): self.steps.append("close")
"""
    agent = load(tmp_path, code)
    await run_agent(agent, "hi")
    assert cast("list[str]", getattr(agent.agent, "steps")) == ["setup", "assist", "close"]  # noqa: B009


async def test_our_own_agents_are_left_alone(framework: None) -> None:
    __import__("sentient_agent_framework")

    class Own(Agent):
        async def assist(self, session: object, query: object, response: object) -> None: ...

    agent = Own()
    assert adapt(agent) is agent
    run: AgentRun = await run_agent(Own, "hi")
    assert run.outcome == "done"


def test_without_the_framework_every_agent_is_left_alone(absent: None) -> None:
    class Duck:
        async def assist(self, session: object, query: object, response: object, /) -> None: ...

    duck = Duck()
    assert "sentient_agent_framework" not in sys.modules
    assert adapt(duck) is duck


def test_a_server_that_starts_while_it_is_imported_is_refused(framework: None, tmp_path: Path) -> None:
    example = EXAMPLE.read_text().replace('if __name__ == "__main__":', "if True:")
    with pytest.raises(AgentImportError, match="starts a server while it is imported") as caught:
        load(tmp_path, example)
    assert "sentient run" in caught.value.fix


def test_the_errors_of_loading_are_those_of_the_loader(tmp_path: Path) -> None:
    with pytest.raises(AgentNotFoundError):
        load_agent("nothing.py", project_dir=tmp_path)
