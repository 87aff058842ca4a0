"""A project that was cloned a moment ago: to look at it, and at one's own keys in it, runs nothing of it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.keys_kit import KEY, use_quick_store
from tests.plugins.isolation import REPOSITORY

_NAMES = ("argon2", "cryptography", "dotenv", "httpx", "keyring", "msgspec", "openai", "platformdirs", "pydantic")
_MORE = ("rich", "typer", "secretstorage", "jeepney", "sitecustomize", "conftest", "mine")
_RUN = "import pathlib; pathlib.Path(__file__).with_name('was-run').write_text(__name__)\n"


@pytest.fixture(autouse=True)
def cloned(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_store(monkeypatch, openai=KEY)
    for name in (*_NAMES, *_MORE):
        Path(f"{name}.py").write_text(_RUN)
    Path("sentient.toml").write_text("[server]\nport = 0\n")


@pytest.mark.slow
@pytest.mark.story("6.1")
@pytest.mark.parametrize(
    ("command", "agent"),
    [
        ("keys list --rebuild", True),
        ("keys which openai", True),
        ("keys show openai", True),
        ("keys use staging", True),
        ("keys exec -- true", True),
        ("config show --all", True),
        ("config validate", True),
        ("config set server.workers 2", True),
        ("config history", True),
        ("audit verify", True),
        ("models", True),
        ("doctor", False),  # which loads the agent, where there is one
    ],
)
def test_nothing_of_it_is_run(command: str, agent: bool) -> None:
    if agent:
        Path("sentient.toml").write_text('agent = "mine:agent"\n[server]\nport = 0\n')
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sentient_cli", *shlex.split(command)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert b"bug in sentient" not in done.stderr
    assert not Path("was-run").exists(), Path("was-run").read_text()
