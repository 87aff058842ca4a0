"""The tables of the documentation that name what there is name what there is."""

from __future__ import annotations

import importlib
import re

import pytest

from sentient_cli.llm.anthropic import AnthropicConfig
from sentient_cli.llm.compatible.vendors import VENDORS
from sentient_cli.llm.offline import OfflineProvider
from sentient_cli.llm.openai import OpenAIConfig
from sentient_cli.llm.providers.kinds import KINDS
from tests.plugins.isolation import REPOSITORY

_NAMES = """
LLMManager ConfigurationHub ProviderSelector LoadBalancer CircuitBreaker ConfigManager ValidationManager BaseLLMProvider
HTTPClient ConnectionPool ResponseCache MetricsCollector SSEStreamHandler EventRouter SessionManager LLMSSEIntegrator
RetryStrategy ConfigWatcher SelectionStrategy HealthChecker CostOptimizer CredentialManager KeyEncryptor
RequestSanitizer ContentFilter EnhancedAgent
"""
COMPONENTS = _NAMES.split()
"""What the table has a row for, in its order."""
CODE = re.compile(r"`([^`]+)`")
"""A name as the tables have it."""


def rows(page: str, columns: int) -> dict[str, list[str]]:
    """The rows of a page's tables of so many columns that begin with a name in backticks, by that name."""
    found: dict[str, list[str]] = {}
    for line in (REPOSITORY / "docs" / page).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name = CODE.fullmatch(cells[0])
        if name is not None and len(cells) == columns:
            assert name[1] not in found, f"{page} has {name[1]} twice"
            found[name[1]] = cells[1:]
    return found


def _resolve(name: str) -> object:
    """What a dotted name leads to: a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            value = getattr(value, part)
        return value
    raise ModuleNotFoundError(name)


def test_every_component_has_its_row() -> None:
    assert list(rows("components.md", 3)) == COMPONENTS


@pytest.mark.slow
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_is_where_the_table_says(component: str) -> None:
    here, why = rows("components.md", 3)[component]
    assert why.endswith("."), "one line says why"
    if here == "not yet":
        return
    name = CODE.fullmatch(here)
    assert name is not None, here
    assert name[1].startswith("sentient_cli.")
    assert callable(_resolve(name[1]))


def test_the_table_of_providers_has_all_kinds() -> None:
    assert set(rows("providers.md", 5)) == set(KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_provider_is_what_the_table_says(kind: str) -> None:
    _, variables, address, default = rows("providers.md", 5)[kind]
    assert tuple(name for name in CODE.findall(variables) if name.isupper()) == KINDS[kind].variables
    assert ("if any" in variables) == bool(KINDS[kind].variables and not KINDS[kind].needs_key)
    base_url, model = _known(kind)
    assert CODE.findall(address) == ([base_url] if base_url else [])
    assert CODE.findall(default) == [model]


def _known(kind: str) -> tuple[str, str]:
    if kind == "offline":
        return "", OfflineProvider().config.default_model
    own = {"openai": OpenAIConfig, "anthropic": AnthropicConfig}.get(kind)
    if own is not None:
        config = own()
        return config.base_url, config.default_model
    return VENDORS[kind].base_url, VENDORS[kind].default_model
