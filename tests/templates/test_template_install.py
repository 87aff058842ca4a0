"""Each project installed from wheels alone, with the newest and the oldest of what it asks for, and tested there."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.plugins.isolation import REPOSITORY
from tests.plugins.places import make_environment
from tests.templates.projects import NAMES, check, run, tree

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The project, free to be installed into."""
    folder = tmp_path / project.name
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    return folder


def _uv(project: Path, wheelhouse: Path, *arguments: str) -> str:
    offline = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheelhouse), "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    return check(project, "uv", *arguments, "--no-config", "--quiet", **offline)


@pytest.mark.slow
@pytest.mark.story("E16.1", "E20.1", "20.6")
@pytest.mark.parametrize("resolution", ["highest", "lowest-direct"])
def test_it_works_with_the_newest_and_the_oldest(copy: Path, resolution: str, wheelhouse: Path) -> None:
    _uv(copy, wheelhouse, "venv")
    install = ["pip", "install", "--resolution", resolution, "--group", "dev", "--editable", "."]
    _uv(copy, wheelhouse, *install)
    python = ".venv/bin/python"
    assert " passed in " in check(copy, python, "-m", "pytest", "-q")
    if resolution == "highest":
        assert "Success" in check(copy, python, "-m", "mypy")
        check(copy, python, "-m", "ruff", "check")
        check(copy, python, "-m", "ruff", "format", "--check")
    else:
        table = tomllib.loads((copy / "pyproject.toml").read_text("utf-8"))
        asked = [*table["project"]["dependencies"], *table["dependency-groups"]["dev"]]
        installed = check(copy, "uv", "pip", "freeze", "--no-config")
        for requirement in asked:
            name, _, version = requirement.partition(">=")
            found = re.search(rf"^{name}(?:==| @ .*-)({re.escape(version)})", installed, re.MULTILINE)
            assert found is not None, f"{requirement}: {installed}"


@pytest.mark.slow
@pytest.mark.story("20.1", "20.2")
def test_an_installed_package_has_its_templates(projects: Mapping[str, Path], tmp_path: Path, wheelhouse: Path) -> None:
    (wheel,) = wheelhouse.glob("sentient_agent_cli-*.whl")
    python = make_environment(tmp_path / "installed", str(wheel))
    (templates,) = (tmp_path / "installed").rglob("sentient_cli/_templates")
    check(tmp_path, str(python), "-m", "compileall", "-q", str(templates))  # as installers do
    assert list(templates.rglob("*.pyc"))
    for name in NAMES:
        create = ["create", "my-agent", "--template", name, "--yes", "--no-install", "--no-git"]
        (tmp_path / name).mkdir()
        check(tmp_path / name, str(python), "-m", "sentient_cli", *create)
        assert tree(tmp_path / name / "my-agent") == tree(projects[name])


@pytest.mark.slow
@pytest.mark.story("20.2", "16.6")
def test_the_image_can_be_installed_from_a_lock(projects: Mapping[str, Path], tmp_path: Path, wheelhouse: Path) -> None:
    project = tmp_path / "production"
    shutil.copytree(projects["production"], project)
    refused = run(project, "uv", "sync", "--locked", "--no-dev", "--no-install-project", "--no-config", "--offline")
    assert refused.returncode != 0
    _uv(project, wheelhouse, "lock")
    packages = tomllib.loads((project / "uv.lock").read_text("utf-8"))["package"]
    assert {"sentient-agent-cli", "pydantic", "pytest"} <= {package["name"] for package in packages}
    _uv(project, wheelhouse, "sync", "--locked", "--no-dev", "--no-install-project")
    names = check(project, "uv", "pip", "freeze", "--no-config")
    assert "sentient-agent-cli" in names
    assert "pytest" not in names
    assert "my-agent" not in names
    assert "sentient" in check(project, ".venv/bin/sentient", "--version")


def test_the_wheelhouse_is_locked_for_what_projects_ask_for(projects: Mapping[str, Path]) -> None:
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    asked: set[str] = set()
    for name in NAMES:
        table = tomllib.loads((projects[name] / "pyproject.toml").read_text("utf-8"))
        asked |= {*table["project"]["dependencies"], *table["dependency-groups"]["dev"]}
    assert {line for line in asked if not line.startswith("sentient-agent-cli")} == set(groups["templates"])
