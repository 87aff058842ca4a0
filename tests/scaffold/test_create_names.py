"""What a project may be called."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ProjectNameError
from sentient_cli.scaffold.names import package_name, require_free_names
from tests.plugins.isolation import REPOSITORY


@pytest.mark.parametrize(
    ("name", "package"),
    [("my-agent", "my_agent"), ("My.Agent", "my_agent"), ("a", "a"), ("agent2", "agent2"), ("a--b", "a_b")],
)
def test_a_name_has_a_package(name: str, package: str) -> None:
    assert package_name(name) == package


@pytest.mark.parametrize(
    ("name", "reason", "suggestion"),
    [
        ("", "letters, digits", "my-agent"),
        ("my agent!", "letters, digits", "my-agent"),
        ("3d", "begin with a digit", "my-3d"),
        ("class", "keyword", "class-agent"),
        ("match", "keyword", "match-agent"),
        ("json", "module `json`", "json-agent"),
        ("rich", "package `rich`", "rich-agent"),
        ("tests", "package `tests`", "tests-agent"),
        ("grüße", "letters, digits", "gru"),
        ("-x", "letters, digits", "x"),
        ("con", "package `con`", "con-agent"),
        ("sentient-agent-cli", "package `sentient_agent_cli`", "sentient-agent-cli-agent"),
        ("anyio", "package `anyio`", "anyio-agent"),
        ("pydantic_core", "package `pydantic_core`", "pydantic-core-agent"),
        ("test-agent", "package `test_agent`", "my-test-agent"),
        ("dist", "leave out directories called `dist`", "dist-agent"),
        ("Build", "leave out directories called `build`", "Build-agent"),
        ("node-modules", "leave out directories called `node_modules`", "node-modules-agent"),
        ("x" * 81, "longer than 80", "x" * 80),
        ("../up", "letters, digits", "up"),
    ],
)
def test_another_name_is_suggested(name: str, reason: str, suggestion: str) -> None:
    with pytest.raises(ProjectNameError) as raised:
        package_name(name)
    assert reason in raised.value.why
    assert suggestion in raised.value.fix
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    "template", sorted((REPOSITORY / "templates").glob("*/project")), ids=lambda one: one.parent.name
)
def test_no_project_is_called_as_what_it_is_made_with(template: Path) -> None:
    text = (template / "pyproject.toml.jinja").read_text()
    listed = re.findall(r"^(?:dependencies|dev|requires) = \[(.*)\]$", text, re.MULTILINE)
    tools = re.findall(r'"([A-Za-z0-9._-]+?)[<>=]', " ".join(listed))
    assert {"mypy", "pytest", "ruff", "hatchling", "sentient-agent-cli"} <= set(tools)
    tests = [file.name.partition(".")[0] for file in (template / "tests").iterdir() if file.is_file()]
    for name in (*tools, *tests):
        with pytest.raises(ProjectNameError):
            package_name(name)


@pytest.mark.parametrize(
    "given",
    [
        *({"package": name} for name in ("json", "class", "pytest", "sentient_cli", "tests", "mypy", "x" * 81)),
        *({"slug": name} for name in ("sentient-agent-cli", "httpx")),
        {"name": "json"},
    ],
    ids=str,
)
def test_names_that_are_given_are_checked(given: dict[str, str]) -> None:
    with pytest.raises(ProjectNameError):
        require_free_names(given)
    require_free_names(dict.fromkeys(given, "my_agent"))


@given(st.one_of(st.text(max_size=100), st.from_regex(r"[A-Za-z0-9._-]{1,90}", fullmatch=True)))
def test_a_package_is_always_usable_and_a_suggestion_always_works(name: str) -> None:
    try:
        package = package_name(name)
    except ProjectNameError as error:
        suggested = re.search(r"'([^']*)'", error.fix)
        assert suggested is None or package_name(suggested[1])
        return
    assert package.isidentifier()
    assert not keyword.iskeyword(package)
    assert package not in sys.stdlib_module_names
