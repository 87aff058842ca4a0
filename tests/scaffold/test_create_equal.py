"""Our own templates are rendered without Copier, to the very files that Copier makes of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sentient_cli import __version__
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.builtin import BUILTIN, BuiltinTemplate
from sentient_cli.scaffold.render import OpenTemplate, open_template, render
from sentient_cli.scaffold.source import open_source

_ODD: list[JsonValue] = []
_SETS: list[dict[str, JsonValue]] = [
    {},
    {"license": "Proprietary", "author": 'Ann O\'Neill "the" <b>'},
    {"features": _ODD, "license": "Apache-2.0"},
    {"features": ["ci"], "license": "BSD-3-Clause", "description": 'Größe {{ 1 + 1 }} \\ "x"'},
    {"features": ["vscode", "agents_md"], "license": "MIT-0", "author": "Ann"},
]


def _available() -> list[BuiltinTemplate]:
    return [one for one in BUILTIN if (Path(__file__).parents[2] / "templates" / one.name / "copier.yml").is_file()]


@pytest.mark.parametrize(
    "builtin",
    [
        pytest.param(each, id=each.name, marks=[pytest.mark.slow] if number else [])
        for number, each in enumerate(_available())
    ],
)
def test_both_ways_give_the_same_files_and_ask_the_same(builtin: BuiltinTemplate) -> None:
    with (
        open_source(builtin.name) as ours,
        open_template(ours) as mine,
        open_source(str(builtin.root)) as other,
        open_template(other) as theirs,
    ):
        assert ours.trusted
        assert not other.trusted
        for number, answers in enumerate(_SETS):
            given: dict[str, JsonValue] = {"name": "My.agent-2", "sentient_version": __version__, **answers}
            one, two = mine.render(given, "project"), theirs.render(given, f"project{number}")
            assert {str(name): file for name, file in one.files.items()} == {
                str(name): file for name, file in two.files.items()
            }
        assert _asked(mine) == _asked(theirs) == {"name", "description", "author", "license", "provider", "features"}


def _asked(template: OpenTemplate) -> set[str]:
    answers: dict[str, JsonValue] = {"name": "my-agent", "provider": "offline"}
    while (question := template.next(answers)) is not None:
        answers[question.name] = question.default
    return set(template.settle(answers))


@pytest.mark.slow
def test_ours_need_no_filters_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one package under the GPL is for templates that are not ours."""
    monkeypatch.setitem(sys.modules, "jinja2_ansible_filters", None)
    for builtin in _available():
        with open_source(builtin.name) as source:
            assert render(source, {"name": "my-agent"}).files
