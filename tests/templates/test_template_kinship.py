"""What the templates share is the same in each of them, so that one who knows one knows all."""

from __future__ import annotations

import re

import pytest

from tests.templates.projects import NAMES, TEMPLATES

_EVERYWHERE = ("licenses", "project/.vscode", "project/.run", "project/.gitignore", "project/LICENSE.jinja")
_IN_BOTH_LARGER = (
    "project/src/{{package}}",
    "project/answers.toml",
    "project/sentient.toml.jinja",
    "project/.env.example.jinja",
    "project/tests/test_agent.py.jinja",
    "project/tests/test_settings.py.jinja",
    "project/tests/test_tools.py.jinja",
)


def _contents(template: str, names: tuple[str, ...]) -> dict[str, bytes]:
    root = TEMPLATES / template
    files = [
        file for name in names for file in ([root / name] if (root / name).is_file() else (root / name).rglob("*"))
    ]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("template", NAMES[1:])
def test_licences_and_editors_are_the_same(template: str) -> None:
    assert _contents(template, _EVERYWHERE) == _contents("basic", _EVERYWHERE)


def test_the_agent_of_production_is_that_of_advanced() -> None:
    assert _contents("production", _IN_BOTH_LARGER) == _contents("advanced", _IN_BOTH_LARGER)


@pytest.mark.parametrize("template", NAMES[1:])
def test_the_questions_are_the_same_but_for_one_default(template: str) -> None:
    def questions(name: str) -> str:
        text = (TEMPLATES / name / "copier.yml").read_text("utf-8")
        return re.sub(r"\A#.*\n|default: An agent .*", "", text)

    assert questions(template) == questions("basic")


def test_the_templates_are_free_of_conditions() -> None:
    text = (TEMPLATES / "LICENSE").read_text("utf-8")
    assert text.startswith("MIT No Attribution")
    assert "subject to the following conditions" not in text


@pytest.mark.parametrize("template", NAMES)
def test_few_files_have_substitutions(template: str) -> None:
    """A file that is rendered cannot be read, run or checked where it stands."""
    python = [file for file in (TEMPLATES / template / "project").rglob("*.py*") if file.suffix in {".py", ".jinja"}]
    rendered = [file for file in python if file.suffix == ".jinja" and ".py" in file.suffixes]
    assert all(file.parent.name == "tests" for file in rendered)
    for file in rendered:
        lines = [line for line in file.read_text("utf-8").splitlines() if "{{ package }}" in line]
        assert lines
        assert all(line.startswith("from {{ package }}.") for line in lines)
