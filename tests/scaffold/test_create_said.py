"""How `sentient create` reads: between words at any width, and each thing once."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.processes import run_sentient
from tests.plugins.isolation import REPOSITORY
from tests.scaffold.create_kit import template
from tests.support import commands

_ANSWERS = ("3d", "my-agent", "9", "basic", "", "Ann", "1", "", "x", "1,2")


@pytest.mark.usefixtures("needs_git")
@pytest.mark.story("20.1")
@pytest.mark.parametrize("columns", [20, pytest.param(33, marks=pytest.mark.slow)])
def test_a_narrow_terminal_breaks_no_word(columns: int) -> None:
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        commands.attached("create", "--no-install"),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"},
        dimensions=(24, columns),
        timeout=150,
        encoding="utf-8",
        echo=False,
    )
    said = ""
    for answer in _ANSWERS:
        child.expect_exact("> ")
        said += (child.before or "") + "\n"
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, said
    said += child.before or ""
    lines = re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", said).replace("\r", "\n").splitlines()
    path = str(Path.cwd() / "my-agent")  # a word that is longer than a line may be cut
    assert [line for line in lines if len(line) > columns and path not in line] == []
    words = " ".join(" ".join(lines).split())
    for text in (
        "A Python package cannot begin with a digit. Call it 'my-3d'.",
        "one agent and its tests: the shortest way to run",
        "Type a number from 1 to 3.",
        "some, such as 1,2, or none [1,2,3,4]",
        "Type numbers from 1 to 4 with commas between, or none.",
        "Made a git repository with a first commit",
        "in a second terminal",
        "No key is needed offline; a provider's goes into .env (see .env.example).",
    ):
        assert text in words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("provider", "said"), [("offline", "No key is needed offline"), ("openai", "The key of its model")]
)
def test_where_a_key_goes(provider: str, said: str) -> None:
    done = run_sentient("create", "x", "--yes", "--no-git", "--no-install", "-d", f"provider={provider}")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith(said)


def test_a_lock_that_an_image_needs_is_asked_for_where_there_is_none() -> None:
    done = run_sentient("create", "x", "--yes", "--no-git", "--no-install", "-t", "production")
    assert done.returncode == 0, done.stderr
    end = done.stderr[done.stderr.index("x is ready") :].splitlines()
    assert len(end) <= 8
    assert end[-1] == "Its image and its CI install from uv.lock: make it with `uv lock`, then commit it."


def test_a_project_that_is_none_of_python_is_said_once(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"})
    done = run_sentient("create", "x", "--yes", "--trust", "--no-git", "-t", str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[:4] == [
        "Rendered 1 file",
        f"Wrote {Path.cwd().resolve() / 'x'}",
        "Installing its packages ...",
        "Installed nothing: the project has no [project] in a pyproject.toml",
    ]
    assert "tests" not in done.stderr
