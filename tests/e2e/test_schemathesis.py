"""Generated requests against the live server: what it answers is what its document says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.served import AGENTS, environment, serve

pytestmark = [pytest.mark.slow, pytest.mark.story("14.8"), pytest.mark.timeout(600)]

# Two rules that no schema can state: ids of earlier requests are ordered, and a cursor is not beyond the end.
_CONFIG = """
[[operations]]
include-name = "POST /assist"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "422"]

[[operations]]
include-name = "GET /runs/{run_id}/events"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "404"]
"""
_TOKEN = "a-token-for-generated-requests"


@pytest.mark.parametrize("secured", [False, True])
def test_every_answer_is_in_the_document(tmp_path: Path, secured: bool) -> None:
    (tmp_path / "schemathesis.toml").write_text(_CONFIG)
    env = {"SENTIENT_SERVER_TOKEN": _TOKEN} if secured else {}
    with serve(tmp_path, "--drain-delay", 0, "--log-level", "error", agent=AGENTS / "parrot.py", env=env) as server:
        url = f"http://127.0.0.1:{server.port}/openapi.json"
        header = ["--header", f"Authorization: Bearer {_TOKEN}"] if secured else []
        options = ["--checks", "all", "--max-examples", "20", "--seed", "1", "--no-color", "--request-timeout", "20"]
        done = subprocess.run(
            [Path(sys.executable).with_name("schemathesis"), "run", url, *options, *header],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert [line for line in server.lines if '"level":"error"' in line] == []
