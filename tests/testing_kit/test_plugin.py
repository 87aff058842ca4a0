"""The pytest plugin, in test runs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.isolation import REPOSITORY

AGENT = """\
from sentient_agent_framework import AbstractAgent

class Echo(AbstractAgent):
    async def assist(self, session, query, response_handler):
        turns = [turn.request.event.content.request_payload.parts[0].prompt for turn in session.get_interactions()]
        await response_handler.respond("ANSWER", " ".join([*turns, query.prompt]))
"""
TESTS = """\
from agent import Echo
from sentient_agent_framework import AbstractAgent

def test_it(run_agent, agent_session):
    assert issubclass(Echo, AbstractAgent)
    run = run_agent(Echo("Echo"), "you?", session=agent_session([("me", "fine")]))
    assert run.raise_for_outcome().text() == "me you?"
"""


# Other plugins of this environment take seconds to load; ours is named, whether or not this package is installed.
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    plugins = ["-p", "sentient_cli.testing.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", *plugins, *arguments]
    environment = {**os.environ, **ENVIRONMENT}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=150, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("where", ["test", "conftest"])
def test_tests_of_framework_agents_run_unchanged(where: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "test_agent.py").write_text(TESTS)
    if where == "conftest":
        (tmp_path / "conftest.py").write_text("import sentient_agent_framework\n")
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "warning" not in done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_unused_it_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n\ndef test_it():\n"
        "    heavy = {'pydantic', 'msgspec', 'httpx', 'starlette', 'sentient_cli.runtime'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_conftest_may_name_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['sentient_cli.testing.plugin']\n")
    (tmp_path / "test_it.py").write_text("import sentient_agent_framework\n\ndef test_it(run_agent): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
