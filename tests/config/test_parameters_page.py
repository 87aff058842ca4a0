"""The page of parameters says what the types and the presets say."""

from __future__ import annotations

import re
import tomllib

import pytest

from sentient_cli.config.described import Setting, describe
from sentient_cli.config.parameters import ParameterSettings
from sentient_cli.config.presets import BUILT_IN
from tests.plugins.isolation import REPOSITORY

PAGE = (REPOSITORY / "docs" / "parameters.md").read_text("utf-8")
_POWERS = {2**31 - 1: "2^31-1", 2**63 - 1: "2^63-1", -(2**63): "-2^63"}
_WORDS = {"boolean": "`true`, `false`", "array": "texts", "string": "a text", "table": "a table"}


def _range(about: Setting) -> str:
    if about.choices:
        return ", ".join(f"`{choice}`" for choice in about.choices)
    if about.least is None or about.most is None:
        return _WORDS[about.kind]
    return " to ".join(_POWERS.get(int(limit), f"{limit:g}") for limit in (about.least, about.most))


@pytest.mark.parametrize("name", ParameterSettings.model_fields)
def test_every_parameter_has_its_row(name: str) -> None:
    about = describe(f"llm.parameters.{name}")
    assert about is not None
    assert f"| `{name}` | {about.unit} | {_range(about)} | {about.description} |" in PAGE.splitlines()


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_preset_has_its_values_and_a_reason(name: str) -> None:
    row = re.search(rf"^\| `{name}` \| (.*?) \| (.+) \|$", PAGE, re.MULTILINE)
    assert row is not None
    assert tomllib.loads(row[1].replace("`", "").replace(", ", "\n")) == dict(BUILT_IN[name].values)
    assert len(row[2]) > 20
