"""The page of settings says what the types say."""

from __future__ import annotations

from typing import cast

import pytest

from sentient_cli.config.keys import Key, all_keys
from sentient_cli.config.llm import ProviderSettings
from sentient_cli.config.settings import Settings
from tests.plugins.isolation import REPOSITORY

PAGE = (REPOSITORY / "docs" / "configuration.md").read_text("utf-8")


def _row(key: Key) -> str:
    value: object = Settings()
    for part in key.name.split("."):
        value = getattr(value, part)
    if isinstance(value, tuple):
        value = ", ".join(map(str, cast("tuple[object, ...]", value))) or None
    default = "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    return f"| `{key.name}` | `{key.variable}` | {default} | {key.description} |"


@pytest.mark.parametrize("key", all_keys().values(), ids=lambda key: key.name)
def test_every_setting_has_its_row(key: Key) -> None:
    assert _row(key) in PAGE.splitlines(), f"docs/configuration.md lacks the line: {_row(key)}"


@pytest.mark.parametrize("name", ProviderSettings.model_fields)
def test_every_setting_of_a_provider_has_its_row(name: str) -> None:
    assert f"| `{name}` | {ProviderSettings.model_fields[name].description} |" in PAGE.splitlines()
