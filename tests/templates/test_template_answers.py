"""What the answers do: every licence and provider, hostile words, names at their limits, and what is refused."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from copier import run_copy

from sentient_cli import JsonValue, UsageError, __version__
from tests.templates.projects import NAMES, TEMPLATES, check, create, render

HOSTILE = """O'Brien "x" \\ <b> & {{ 7*7 }} ${x} %s 😀 \u2028"""


def _project_table(project: Path) -> dict[str, object]:
    table: dict[str, object] = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    return table


_LICENCES = {
    "MIT": ("MIT", "Permission is hereby granted"),
    "Apache-2.0": ("Apache-2.0", "Apache License"),
    "BSD-3-Clause": ("BSD-3-Clause", "Redistribution and use"),
    "MIT-0": ("MIT-0", "MIT No Attribution"),
    "Proprietary": ("LicenseRef-Proprietary", "All rights reserved"),
}


@pytest.mark.slow
@pytest.mark.parametrize("licence", _LICENCES)
def test_the_licence_is_the_chosen_one(licence: str, tmp_path: Path) -> None:
    name, words = _LICENCES[licence]
    project = render("basic", tmp_path / "project", license=licence, author="Ann Example")
    text = (project / "LICENSE").read_text("utf-8")
    assert words in text
    assert "Ann Example" in text
    assert _project_table(project)["license"] == name


@pytest.mark.story("E16.2", "E20.1")
@pytest.mark.parametrize(
    "licence", ["Proprietary", *(pytest.param(each, marks=pytest.mark.slow) for each in list(_LICENCES)[:-1])]
)
def test_a_wheel_holds_the_licence(licence: str, tmp_path: Path) -> None:
    project = create("basic", tmp_path / "project", license=licence)
    check(project, "python", "-m", "hatchling", "build", "--target", "wheel")
    (built,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as wheel:
        metadata = wheel.read("my_agent-0.1.0.dist-info/METADATA").decode()
        assert f"License-Expression: {_LICENCES[licence][0]}\n" in metadata
        held = wheel.read("my_agent-0.1.0.dist-info/licenses/LICENSE").decode()
    assert held == (project / "LICENSE").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")  # Copier runs, and nothing of ours
@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("offline", ""),
        ("openai", "OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("compatible", "MODEL_API_KEY"),
    ],
)
def test_the_provider_is_in_the_settings_and_its_key_has_a_place(provider: str, variable: str, tmp_path: Path) -> None:
    project = tmp_path / "project"  # by Copier: of the providers only those that this version knows are offered
    data = {"name": "my-agent", "provider": provider}
    run_copy(str(TEMPLATES / "advanced"), project, data=data, defaults=True, quiet=True)
    settings = tomllib.loads((project / "sentient.toml").read_text("utf-8"))
    assert settings["llm"]["model"] == provider
    example = (project / ".env.example").read_text("utf-8")
    assert variable in example
    assert not [line for line in example.splitlines() if line and not line.startswith("#")]


@pytest.mark.slow
@pytest.mark.parametrize("template", NAMES)
def test_words_that_look_like_code_stay_words(template: str, tmp_path: Path) -> None:
    project = render(template, tmp_path / "project", author=HOSTILE, description=HOSTILE)
    table = _project_table(project)
    assert table["description"] == HOSTILE
    assert table["authors"] == [{"name": HOSTILE}]
    assert HOSTILE in (project / "README.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "package", "slug"),
    [
        ("my-agent", "my_agent", "my-agent"),
        ("My Agent 2!", "my_agent_2", "my-agent-2"),
        ("3d", "agent_3d", "agent-3d"),
        ("__x__", "x", "x"),
        ("a" * 80, "a" * 80, "a" * 50),
    ],
)
def test_names_are_derived(name: str, package: str, slug: str, tmp_path: Path) -> None:
    project = render("production", tmp_path / "project", name=name)
    assert (project / "src" / package / "agent.py").is_file()
    assert _project_table(project)["name"] == slug
    assert f"namespace: {slug}\n" in (project / "deploy/kubernetes/kustomization.yaml").read_text("utf-8")


def test_a_name_with_signs_is_written_as_xml(tmp_path: Path) -> None:
    project = render("basic", tmp_path / "project", name='a <b> & "c"', package="abc")
    module = ET.parse(project / ".run/Serve.run.xml").find(".//module")  # noqa: S314 - our own file
    assert module is not None
    assert module.get("name") == 'a <b> & "c"'


@pytest.mark.slow
@pytest.mark.parametrize("template", NAMES)
def test_a_long_package_name_keeps_the_code_clean(template: str, tmp_path: Path) -> None:
    project = render(template, tmp_path / "project", package="a" * 48)
    check(project, "ruff", "check", "--no-cache")
    check(project, "ruff", "format", "--check", "--no-cache")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "answer"),
    [("package", "../x"), ("package", "Abc"), ("slug", "a b"), ("slug", "3d"), ("sentient_version", '1"]')],
)
def test_what_is_computed_has_a_form_too(question: str, answer: str, tmp_path: Path) -> None:
    data = {"name": "my-agent", question: answer}
    with pytest.raises(ValueError, match="It takes"):
        run_copy(str(TEMPLATES / "basic"), tmp_path / "project", data=data, defaults=True, quiet=True)
    assert not (tmp_path / "project").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("name", "a\nb"),
        ("name", " "),
        ("name", "a\x1b[2J"),
        ("author", "Ann\nEve"),
        ("description", "a\x00b"),
        ("license", "GPL-3.0"),
        ("provider", "somebody"),
        ("features", ["telemetry"]),
    ],
)
def test_an_answer_that_cannot_be_is_refused(question: str, answer: JsonValue, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        render("basic", tmp_path / "project", **{question: answer})
    assert not (tmp_path / "project").exists()


@pytest.mark.slow
def test_a_project_asks_for_the_version_that_made_it(project: Path, tmp_path: Path) -> None:
    dependencies = _project_table(project)["dependencies"]
    assert isinstance(dependencies, list)
    assert f"sentient-agent-cli>={__version__}" in dependencies
    newer = _project_table(render(project.name, tmp_path / "newer", sentient_version="9.9.9"))["dependencies"]
    assert isinstance(newer, list)
    assert "sentient-agent-cli>=9.9.9" in newer
