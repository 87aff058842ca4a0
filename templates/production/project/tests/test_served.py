"""The agent as it is served in production, on this machine: a real process, a real socket, the offline model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent
TOKEN = "a-token-for-tests-only"  # noqa: S105 - it protects nothing
ENVIRONMENT = {
    **os.environ,
    "SENTIENT_PROFILE": "production",
    "SENTIENT_LLM_MODEL": "offline",
    "SENTIENT_LLM_USAGE": "false",
    "SENTIENT_SERVER_DRAIN_DELAY": "0",
    "SENTIENT_SERVER_TOKEN": TOKEN,
}
SERVE = [sys.executable, "-m", "sentient_cli", "serve", "--host", "127.0.0.1", "--port", "0"]


@pytest.fixture
def url() -> Iterator[str]:
    """Where the agent is served; it has to end in order."""
    with subprocess.Popen(SERVE, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stderr is not None
        try:
            found = (re.search(r"Serving .* on (http://[^\s\"]+)", line) for line in server.stderr)
            yield next(match[1] for match in found if match)
        finally:
            server.terminate()
            server.communicate(timeout=20)
    assert os.name == "nt" or server.returncode == 0


def test_probes_need_no_token_and_questions_do(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/health/ready").json() == {"status": "ok"}
        assert client.post("/assist", json={}).status_code == 401


def test_many_readers_get_their_answers(url: str) -> None:
    command = [sys.executable, "load/load_test.py", url, "--requests", "20", "--concurrency", "10"]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 answers" in done.stdout
    assert "0 failed" in done.stdout
