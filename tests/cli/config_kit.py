"""A project with settings in every layer, for `sentient config`."""

from __future__ import annotations

import json
from pathlib import Path

from sentient_cli.paths import user_config_file

__all__ = ["PROJECT", "TOKEN", "faults_of", "rows", "write_project", "write_user"]

TOKEN = "tok-0123456789abcdef"
PROJECT = """\
agent = "assistant:agent"

[server]
port = 9000
allow_origins = ["http://localhost:3000"]

[llm]
preset = "code"

[llm.providers.work]
kind = "openai"
base_url = "http://someone:pw-0123456789@127.0.0.1:9/v1"
timeout = 12
headers = { Authorization = "Bearer abcdefghijkl", X-Team = "red" }
retry = { attempts = 5 }

[llm.presets.mine]
base = "precise"
max_tokens = 300

[profile.production.server]
port = 80

[profile.staging.llm]
preset = "mine"
"""


def write_project(text: str = PROJECT, *, variables: str = "") -> None:
    """Make the current directory a project."""
    Path("sentient.toml").write_text(text)
    if variables:
        Path(".env").write_text(variables)


def write_user(text: str) -> Path:
    """Make this user's own settings file."""
    path = user_config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def rows(text: str) -> list[dict[str, object]]:
    """The values of output with ``--json``."""
    return [json.loads(line) for line in text.splitlines()]


def faults_of(text: str) -> list[tuple[object, object, object, object]]:
    """What ``config validate --json`` says: level, line, column, and what it is."""
    return [(row["level"], row["line"], row["column"], row["what"]) for row in rows(text)]
