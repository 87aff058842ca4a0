"""The view of what holds: each setting with unit, range and source; nothing of it changes, nothing of it is secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from sentient_cli import llm
from sentient_cli.config import load
from sentient_cli.config.keys import all_keys
from sentient_cli.config.llm import LlmSettings, ParameterSettings
from sentient_cli.errors import ConfigurationNotFoundError
from sentient_cli.host.llm_doubts import doubts_of
from sentient_cli.llm import LLMConfig, Parameters
from sentient_cli.llm.config.providers import provider_view
from sentient_cli.llm.defaults import Overlay, overlaid
from sentient_cli.llm.providers.factory import provider_factory
from sentient_cli.llm.providers.kinds import KINDS

_WHOLE = """
[llm]
model = "work"
fallback = ["anthropic"]
preset = "precise"
deadline = 20

[llm.budget]
day = 2.5

[llm.parameters]
max_tokens = 300

[llm.parameters.metadata]
team = "seven"

[llm.providers.work]
kind = "openai"
base_url = "https://me:pw-1234567@models.example/v1"
organization = "org-1"
timeout = 5
requests_per_minute = 60
tokens_per_minute = 90000
headers = { Authorization = "Bearer sk-very-secret-1" }
options = { api = "responses" }
retry = { attempts = 2 }
"""


def _config() -> LLMConfig:
    Path("sentient.toml").write_text(_WHOLE)
    return LLMConfig.of(load(environment={"SENTIENT_LLM_PARAMETERS_TOP_P": "0.5"}))


def test_values_units_ranges_and_sources() -> None:
    config = _config()
    file = f"{Path.cwd()}/sentient.toml"
    assert (config.model, config.fallback, config.preset, config.deadline) == ("work", ("anthropic",), "precise", 20.0)
    assert config.parameters == Parameters(temperature=0.0, top_p=0.5, max_tokens=300, metadata={"team": "seven"})
    assert (config.retry.attempts, config.budget.day) == (3, 2.5)
    tokens = config["llm.parameters.max_tokens"]
    assert (tokens.value, tokens.about.unit, tokens.range) == (300, "tokens", "from 1 to 2147483647")
    assert tokens.source.where.startswith(f"{file}:12")
    assert str(config["llm.parameters.top_p"].source) == "SENTIENT_LLM_PARAMETERS_TOP_P"
    assert config["llm.parameters.temperature"].source.layer == "preset"
    assert (config["llm.budget.day"].about.unit, config["llm.deadline"].about.unit) == ("US dollars", "seconds")
    assert config["llm.parameters.effort"].range == "none, minimal, low, medium, high, xhigh, max"
    assert config["llm.parameters.metadata.team"].value == "seven"
    assert config["llm.providers.work.timeout"].about.unit == "seconds"
    with pytest.raises(ConfigurationNotFoundError):
        config["llm.nothing"]


def test_every_setting_of_models_is_in_it_with_what_it_is_for() -> None:
    config = LLMConfig.of(load(environment={}))
    assert set(config.settings) == {name for name in all_keys() if name.startswith("llm.")}
    assert all(each.about.description for each in config.settings.values())
    assert {each.source.layer for each in config.settings.values()} == {"default"}
    assert config.explain() == []


def test_providers_are_typed_and_hold_no_key() -> None:
    config = _config()
    work = config.providers["work"]
    assert (work.kind, work.key_variables, work.needs_key) == ("openai", ("OPENAI_API_KEY",), True)
    assert (work.organization, work.timeout, work.attempts) == ("org-1", 5.0, 2)
    assert (work.requests_per_minute, work.tokens_per_minute) == (60, 90_000)
    assert (config.providers["anthropic"].timeout, config.providers["anthropic"].attempts) == (30.0, 3)
    said = f"{config!r} {config.explain()} {[str(each) for each in config.settings.values()]}"
    assert "very-secret" not in said
    assert "pw-1234567" not in said


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_said_of_a_kind_is_what_its_provider_has(kind: str) -> None:
    variables = dict.fromkeys(KINDS[kind].variables, "sk-1234567")
    told: dict[str, object] = {}
    if kind in {"azure", "compatible"}:
        told = {"base_url": "http://127.0.0.1:1/v1", "api_key_env": "MINE_KEY"}
        variables["MINE_KEY"] = "sk-7654321"
    settings = LlmSettings.model_validate({"providers": {kind: told} if told else {}})
    view, made = provider_view(settings, kind), provider_factory(kind, settings.providers.get(kind), variables).config
    assert (view.timeout, view.default_model) == (made.timeout, made.default_model)
    assert view.base_url == getattr(made, "base_url", None)
    assert view.connect_timeout == getattr(made, "connect_timeout", None)


def test_an_experiment_and_a_session_lie_over_it() -> None:
    config = _config()
    before = repr(config)
    trial = Overlay(layer="experiment", name="short/b", model="offline", parameters=Parameters(max_tokens=50, seed=1))
    with overlaid(trial), llm.use(parameters=Parameters(seed=2)):
        here = config.here()
    assert (here.model, here.parameters.max_tokens, here.parameters.seed) == ("offline", 50, 2)
    assert str(here["llm.model"].source) == "short/b"
    assert here["llm.parameters.seed"].source.layer == "session"
    assert here["llm.parameters.top_p"].source.layer == "environment"
    assert (repr(config), repr(config.here())) == (before, before)
    with pytest.raises(AttributeError):
        config.model = "other"  # type: ignore[misc]


def test_conflicts_are_those_of_the_models_that_are_named() -> None:
    found = {(each.model, each.conflict.parameter) for each in _config().conflicts()}
    assert found == {
        ("work", "temperature"),
        ("work", "top_p"),
        ("anthropic", "temperature"),
        ("anthropic", "top_p"),
        ("anthropic", "metadata"),
    }


def test_doubts_are_sentences_and_cost_nothing_without_parameters() -> None:
    assert doubts_of(LlmSettings(model="openai:gpt-5")) == []
    assert doubts_of(LlmSettings(model="offline", preset="precise")) == []
    assert doubts_of(LlmSettings(model="openai:gpt-5", preset="nothing")) == []
    (said,) = doubts_of(LlmSettings(model="openai:gpt-5", parameters=ParameterSettings(temperature=0.5)))
    assert said.startswith("openai:gpt-5: `temperature` = 0.5 is left out: ")
    assert said.endswith("Steer the model with `effort`: minimal, low, medium, high.")


def test_secrets_of_parameters_are_not_in_how_it_looks() -> None:
    Path("sentient.toml").write_text("[llm.parameters.extra.openai]\npassword = 'hunter2hunter2'\n")
    config = LLMConfig.of(load(environment={}))
    assert config.parameters.extra == {"openai": {"password": "hunter2hunter2"}}
    for told in (repr(config), str(config), f"{config}", pretty_repr(config), str(config.settings)):
        assert "llm.parameters.extra.openai" in told
        assert "hunter2hunter2" not in told
