"""Which files a template makes, for every set of features."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.templates.projects import FEATURES, NAMES, render, tree

_TREES: dict[str, dict[str, list[str]]] = tomllib.loads(Path(__file__).with_name("trees.toml").read_text("utf-8"))


def _option_sets() -> Iterator[ParameterSet]:
    """Every set of features for every template. Of most sets only the ends are quick."""
    for template in NAMES:
        for size in range(len(FEATURES) + 1):
            rare = size not in {0, 1 if template == NAMES[0] else 0, len(FEATURES)}
            marks = [pytest.mark.slow] if rare else []
            for features in combinations(FEATURES, size):
                yield pytest.param(template, features, id=_words(template, features), marks=marks)


def _words(template: str, features: tuple[str, ...]) -> str:
    return "-".join((template, *features)) if features else f"{template}-plain"


@pytest.mark.parametrize(("template", "features"), list(_option_sets()))
def test_the_tree_is_the_expected_one(template: str, features: tuple[str, ...], tmp_path: Path) -> None:
    project = render(template, tmp_path / "project", features=list(features))
    expected = _TREES[template]
    assert tree(project) == sorted(expected["always"] + [name for feature in features for name in expected[feature]])


def test_nothing_of_the_template_is_left_over(project: Path) -> None:
    for name in tree(project):
        text = (project / name).read_text("utf-8")
        assert "{%" not in text, name
        assert "{{" not in text.replace("${{", "").replace("'{{", "").replace('"{{', ""), name
        assert text.endswith("\n"), name
        assert "\n\n\n\n" not in text, name
        assert not [line for line in text.splitlines() if line != line.rstrip()], name
