"""``sentient run`` on a file that cannot serve: the user's lines, the reason, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.served import environment

pytestmark = pytest.mark.story("18.6", "F7")

_SERVER = """\
from sentient_agent_framework import AbstractAgent, DefaultServer

class Broken(AbstractAgent):
    {assist}: pass

DefaultServer({agent}).run("127.0.0.1", 0)
"""


def refuse(home: Path, file: str) -> tuple[int, dict[str, str]]:
    """Execute it in vain: the exit code, and the error."""
    done = commands.run_text("--json", "run", file, directory=home, environment=environment(home))
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "sentient_cli" not in done.stderr
    error: dict[str, str] = json.loads(done.stderr)["error"]
    return done.returncode, error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assist", "agent", "said"),
    [
        ("def assist(self, session, query, response_handler)", "Broken('x')", "Broken.assist is not async"),
        ("async def assist(self, session)", "Broken('x')", "Broken.assist does not take a session, a query"),
        ("async def assist(self, session, query, response_handler)", "object()", "object in the script is no agent"),
    ],
)
def test_an_agent_that_cannot_answer(tmp_path: Path, assist: str, agent: str, said: str) -> None:
    (tmp_path / "broken.py").write_text(_SERVER.format(assist=assist, agent=agent))
    code, error = refuse(tmp_path, "broken.py")
    assert (code, error["code"]) == (5, "agent-signature")
    assert said in error["what"]
    assert "async def assist(self, session, query, response)" in error["fix"]


def test_a_module_that_another_module_lacks(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def read():\n    import no_such_module_anywhere\nread()\n")
    (tmp_path / "broken.py").write_text("import helper\n")
    code, error = refuse(tmp_path, "broken.py")
    assert code == 1
    assert error["why"] == "helper.py needs the module no_such_module_anywhere, which is not installed"
    assert error["fix"] == "Install the package that it is part of, with pip or uv"
    frames = [line.strip() for line in error["detail"].splitlines() if line.startswith("  /")]
    assert frames == [
        f"{tmp_path}/helper.py:2 in read",
        f"{tmp_path}/helper.py:3 in <module>",
        f"{tmp_path}/broken.py:1 in <module>",
    ]


def test_a_syntax_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    code, error = refuse(tmp_path, "broken.py")
    assert (code, error["code"]) == (5, "agent-import")
    assert error["fix"] == f"Correct {tmp_path}/broken.py, line 2"
    assert "def f(:" in error["detail"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "agent.py").touch()
    code, error = refuse(tmp_path, "agnet.py")
    assert (code, error["code"]) == (5, "agent-not-found")
    assert error["fix"] == "Did you mean agent.py?"
