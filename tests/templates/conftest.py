"""Each template's project with the default answers, made once a process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.templates.projects import NAMES, create


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The projects by template. Tests leave their files as they are."""
    folder = tmp_path_factory.mktemp("projects")
    return {name: create(name, folder / name) for name in NAMES}


@pytest.fixture(params=NAMES)
def project(request: pytest.FixtureRequest, projects: Mapping[str, Path]) -> Path:
    """The project of each template in turn."""
    return projects[str(request.param)]


@pytest.fixture(params=[NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])])
def first_project(request: pytest.FixtureRequest, projects: Mapping[str, Path]) -> Path:
    """The smallest project, for what takes seconds; those of the larger templates, which seldom change, are slow."""
    return projects[str(request.param)]
