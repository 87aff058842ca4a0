"""The shape of the project, as git has it."""

from __future__ import annotations

import subprocess

from tests.plugins.isolation import REPOSITORY

_TOP = {"pyproject.toml", "sentient_cli", "templates", "tests", "docs", "README.md", "LICENSE"}


def test_the_top_level_has_every_part() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert {name.partition("/")[0] for name in done.stdout.splitlines()} >= _TOP
