"""A run of the testing kit is the same to the byte, in whatever process it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import hashlib, sys
from sentient_cli import Query, Response, Session
from sentient_cli.testing import run_agent_sync

async def agent(session: Session, query: Query, response: Response) -> None:
    await response.json("TAGS", {"tags": {"alpha", "beta", "gamma"}, "deep": [{"numbers": {3, 20, 100}}], 1: "one"})
    async with response.stream("TEXT") as stream:
        await stream.write("word")
    if query.prompt == "fail":
        raise ValueError("on purpose")

for prompt in ("go on", "fail"):
    run = run_agent_sync(agent, prompt, capture=True)
    for entry in run.entries:
        sys.stdout.write(f"{entry.seq} {entry.at} {entry.type} {entry.data.decode()}\\n")
    sys.stdout.write("--")
"""


def _entries(seed: int, place: Path) -> list[str]:
    """What two runs wrote in one process."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        cwd=place,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split("--")


@pytest.mark.slow
def test_two_processes_come_to_the_same(tmp_path: Path) -> None:
    first, *others = [_entries(seed, tmp_path) for seed in (1, 2, 3)]
    assert others == [first, first]
    well, failed, _ = first
    for entries in (well, failed):
        assert '"tags":["alpha","beta","gamma"]' in entries
        assert '"numbers":[3,20,100]' in entries
        assert '"1":"one"' in entries
    assert '"error_code":500' not in well
    assert '"error_code":500' in failed
