"""The demonstration: a real server, the offline model, a question over HTTP, the events as they come, an end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.plugins.isolation import REPOSITORY


@pytest.mark.slow
@pytest.mark.story("14.8")
def test_the_demo_serves_asks_shows_and_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.tools.demo"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [line.split()[0] for line in done.stdout.splitlines() if line.startswith(("atomic.", "chunked."))]
    assert kinds[0] == "atomic.textblock"
    assert kinds[-1] == "atomic.done"
    assert kinds.count("chunked.text") > 1
    assert "15% of 80 = 12" in done.stdout
    assert "has drained and ended" in done.stdout
