"""``sentient chat`` given the agent's file instead of its address."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.served import command, environment


@pytest.mark.story("18.6")
def test_a_file_is_no_address(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("async def assist(session, query, response): pass\n")
    done = subprocess.run(
        command("--json", "chat", "agent.py", "-m", "hi"),
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout, error["code"]) == (2, "", "usage")
    assert "`sentient serve agent.py`" in error["fix"]
