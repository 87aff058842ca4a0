"""What a project says it needs, and whether it is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentient_cli.scaffold.requirements import (
    is_installable,
    missing_here,
    python_that_is_missing,
    requirements,
)


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_groups_are_taken_with_what_they_include_and_circles_end(tmp_path: Path) -> None:
    here = project(
        tmp_path,
        """
        [project]
        name = "it"
        dependencies = ["httpx>=0.27"]
        [dependency-groups]
        test = ["pytest", {include-group = "lint"}, {include-group = "nowhere"}]
        lint = ["ruff", {include-group = "test"}, 7]
        """,
    )
    assert requirements(here, "test", "missing") == ("httpx>=0.27", "pytest", "ruff")
    assert is_installable(here)


@pytest.mark.parametrize("text", ["", "project = 1", "[project\n", "[tool.x]\na = 1"])
def test_what_says_nothing_needs_nothing(tmp_path: Path, text: str) -> None:
    here = project(tmp_path, text)
    assert requirements(here, "test") == ()
    assert not is_installable(here)
    assert not python_that_is_missing(here)


@pytest.mark.parametrize(("wanted", "missing"), [(">=3.8", ""), (">=9", ">=9"), ("not a version", "")])
def test_another_python_is_named(tmp_path: Path, wanted: str, missing: str) -> None:
    assert python_that_is_missing(project(tmp_path, f'[project]\nrequires-python = "{wanted}"')) == missing


def test_what_is_not_here_is_named_as_it_was_written() -> None:
    needed = ["httpx>=0.1", "httpx>=999", "no-such-distribution", "not a requirement!", 'x; python_version < "3"']
    assert missing_here(needed) == ["httpx>=999", "no-such-distribution", "not a requirement!"]
