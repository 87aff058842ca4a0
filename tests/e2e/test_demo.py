"""The demonstration: a project is made, served, asked, edited and asked again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.plugins.isolation import REPOSITORY


@pytest.mark.slow
@pytest.mark.story("14.8", "20.5")
def test_the_demo_creates_serves_asks_edits_and_asks_again() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.tools.demo"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [line.split()[0] for line in done.stdout.splitlines() if line.startswith(("atomic.", "chunked."))]
    first, second = kinds[: kinds.index("atomic.done") + 1], kinds[kinds.index("atomic.done") + 1 :]
    assert first.count("chunked.text") > 1
    assert second == ["atomic.textblock", *first], "the edit is live"
    assert "demo-agent is made" in done.stdout
    assert "reloaded" in done.stdout
