"""``sentient chat`` given the agent's file instead of its address."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.served import environment


@pytest.mark.story("18.6")
def test_a_file_is_no_address(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("async def assist(session, query, response): pass\n")
    arguments = ("--json", "chat", "agent.py", "-m", "hi")
    done = commands.run_text(*arguments, directory=tmp_path, environment=environment(tmp_path))
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout, error["code"]) == (2, "", "usage")
    assert "`sentient serve agent.py`" in error["fix"]
