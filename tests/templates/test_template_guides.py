"""READMEs, AGENTS.md and the runbook say what is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.templates.projects import python_lines, tree

_NOT_OF_THE_PROJECT = {".venv", ".env", "runs.db", ".sentient", "uv.lock"}


def _text(project: Path, name: str) -> str:
    return (project / name).read_text("utf-8")


def test_the_smallest_project_is_small(project: Path) -> None:
    """That each project keeps to the budget of its README is shown where the tour is taken."""
    assert project.name != "basic" or python_lines(project) <= 150


def test_every_file_that_is_named_exists(project: Path) -> None:
    names = tree(project)
    folders = {parent.as_posix() for name in names for parent in Path(name).parents}
    for guide in ("README.md", "AGENTS.md"):
        spans: list[str] = re.findall(r"`([\w./-]+)`", _text(project, guide))
        mentioned = [span for span in spans if re.search(r"[./]", span) and span not in _NOT_OF_THE_PROJECT]
        missing = [
            name
            for name in mentioned
            if name not in folders and not any(path == name or path.endswith(f"/{name}") for path in names)
        ]
        assert [name for name in missing if re.search(r"\.(py|toml|md|yml|yaml|txt|example)$|/", name)] == []


def test_every_file_of_the_code_is_on_the_tour(project: Path) -> None:
    readme = _text(project, "README.md")
    code = [Path(name).name for name in tree(project) if name.startswith("src/") and not name.endswith("__init__.py")]
    assert [name for name in code if name not in readme] == []


def test_agents_are_told_the_checks_that_ci_runs(project: Path) -> None:
    workflow = _text(project, ".github/workflows/ci.yml")
    for command in ("ruff check", "ruff format --check", "mypy", "pytest"):
        assert f".venv/bin/{command}" in _text(project, "AGENTS.md")
        assert re.search(rf"^\s+- run: .*{command}$", workflow, re.MULTILINE)
