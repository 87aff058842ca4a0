"""Each project passes its own checks, and the stricter ones of this repository where they differ."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from filelock import FileLock

import sentient_cli
from sentient_cli import config, errors, llm, testing
from sentient_cli.llm import offline
from sentient_cli.llm.usage.ledger import ledger_file
from tests.plugins.isolation import REPOSITORY
from tests.templates.projects import check, create, tree

_PUBLIC = {
    "sentient_cli": sentient_cli.__all__,
    "sentient_cli.config": config.__all__,
    "sentient_cli.errors": errors.__all__,
    "sentient_cli.llm": llm.__all__,
    "sentient_cli.llm.offline": offline.__all__,
    "sentient_cli.testing": testing.__all__,
}


@pytest.mark.story("20.3")
def test_ruff_finds_nothing(project: Path) -> None:
    check(project, "ruff", "check", "--no-cache")
    check(project, "ruff", "format", "--check", "--no-cache")


@pytest.mark.story("20.3")
@pytest.mark.timeout(300)
@pytest.mark.slow
def test_mypy_finds_nothing(first_project: Path) -> None:
    cache = REPOSITORY / ".cache" / "templates-mypy"
    with FileLock(f"{cache}.lock"):  # so that the second finds what the first has read of this package
        assert "Success" in check(first_project, "mypy", "--cache-dir", str(cache))


@pytest.mark.slow
@pytest.mark.story("20.3")
def test_basedpyright_finds_nothing(projects: Mapping[str, Path], tmp_path: Path) -> None:
    roots = [
        {"root": str(project), "extraPaths": [str(project / "src"), str(REPOSITORY)]} for project in projects.values()
    ]
    settings = {
        "include": [str(project) for project in projects.values()],
        "executionEnvironments": roots,
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        "failOnWarnings": True,
        "venvPath": str(REPOSITORY),
        "venv": ".venv",
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings), "utf-8")
    assert check(tmp_path, "basedpyright", "--project", "settings.json").startswith("0 errors, 0 warnings")


@pytest.mark.slow
@pytest.mark.story("16.5", "19.8", "20.6")
def test_the_projects_own_tests_pass(first_project: Path) -> None:
    said = check(first_project, "python", "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", "-q")
    assert " passed in " in said
    assert "warning" not in said
    assert not ledger_file().exists()  # what tests ask is no usage of their user


@pytest.mark.slow
@pytest.mark.story("16.5")
def test_the_tests_of_a_project_find_a_broken_agent(tmp_path: Path) -> None:
    project = create("basic", tmp_path / "project")
    agent = project / "src" / "my_agent" / "agent.py"
    agent.write_text(agent.read_text("utf-8").replace("return [*messages, ", "return [messages[0], "), "utf-8")
    said = check(tmp_path, "sh", "-c", f"cd '{project}' && ! python -m pytest -q -p no:cacheprovider")
    assert "test_earlier_turns_are_remembered" in said


def test_only_public_names_are_used(project: Path) -> None:
    for name in tree(project):
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse((project / name).read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sentient_cli"):
                known = _PUBLIC[node.module or ""]
                assert [alias.name for alias in node.names if alias.name not in known] == [], name
            elif isinstance(node, ast.Import):
                assert not [alias.name for alias in node.names if alias.name.startswith("sentient_cli")], name


def test_pieces_stay_small(project: Path) -> None:
    for name in tree(project):
        if name.endswith(".py"):
            text = (project / name).read_text("utf-8")
            assert text.count("\n") <= 150, name
            functions = [
                node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            assert [each.name for each in functions if (each.end_lineno or 0) - each.lineno > 25] == [], name
