"""Tables in tables: providers, groups and the rest of what concerns models."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentient_cli.config import load
from sentient_cli.config.keys import open_tables, tables
from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.errors import ConfigError, UsageError

WHOLE = """
[llm]
model = "work:gpt-5"
fallback = ["anthropic:claude-haiku-4-5", "offline"]
strategy = "cheapest"

[llm.retry]
attempts = 5

[llm.groups]
fast = ["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"]

[llm.providers.work]
kind = "openai"
api_key_env = "WORK_KEY"
headers = { "X-Team" = "seven" }
ca_file = "ca.pem"
timeout = 5

[llm.providers.work.options]
api = "responses"

[profile.night.llm.providers.work]
timeout = 60
api_key_env = ["NIGHT_KEY", "WORK_KEY"]

[profile.night.llm.budget]
day = 2.5
"""


def _fault(text: str) -> ConfigError:
    Path("sentient.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(environment={})
    return caught.value


def test_all_tables() -> None:
    Path("sentient.toml").write_text(WHOLE)
    llm = load(environment={"SENTIENT_LLM_RETRY_CAP": "7"}).settings.llm
    work = llm.providers["work"]
    assert (llm.retry.attempts, llm.retry.cap, llm.strategy) == (5, 7.0, "cheapest")
    assert llm.fallback == ("anthropic:claude-haiku-4-5", "offline")
    assert llm.groups == {"fast": ("openai:gpt-5-mini", "anthropic:claude-haiku-4-5")}
    assert (work.kind, work.api_key_env, work.headers) == ("openai", ("WORK_KEY",), {"X-Team": "seven"})
    assert (work.ca_file, work.options) == (str(Path.cwd() / "ca.pem"), {"api": "responses"})


def test_a_profile_changes_single_settings_of_a_provider() -> None:
    Path("sentient.toml").write_text(WHOLE)
    loaded = load(profile="night", environment={})
    work = loaded.settings.llm.providers["work"]
    assert (work.kind, work.timeout, work.api_key_env) == ("openai", 60.0, ("NIGHT_KEY", "WORK_KEY"))
    assert loaded.settings.llm.budget.day == 2.5


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[llm.retry]\nattempt = 1\n", 2, "There is no setting `llm.retry.attempt` `llm.retry.attempts`?"),
        ("[llm.retry]\nattempts = 0\n", 2, "`llm.retry.attempts` must be greater"),
        ("[llm.retri]\nattempts = 0\n", 1, "There is no setting `llm.retri` mean `llm.retry`?"),
        ("[llm]\nretry = 1\n", 2, "`llm.retry` wrong type [llm.retry]"),
        ("[llm]\nstrategy = 'best'\n", 2, "`llm.strategy` must be 'order' 'cheapest'"),
        ("[llm.budget]\nday = -1\n", 2, "`llm.budget.day` must be greater than or equal to 0"),
        ("[llm.groups]\nfast = []\n", 2, "`llm.groups.fast`"),
        ("[llm.groups]\nfast = 'x'\n", 2, "`llm.groups.fast` must be a valid tuple"),
        ("[llm.groups]\n'a.b' = ['x']\n", 2, "`llm.groups.a.b` not allowed letters"),
        ("[llm]\nproviders = 1\n", 2, "`llm.providers` wrong type [llm.providers]"),
        ("[llm.providers]\nwork = 1\n", 2, "`llm.providers.work` wrong type [llm.providers.work]"),
        ("[llm.providers.work]\nbase_ulr = 'x'\n", 2, "`llm.providers.work.base_ulr` `llm.providers.work.base_url`?"),
        ("[llm.providers.work]\nbase_url = 'x'\n", 2, "`llm.providers.work.base_url` an address such as"),
        ("[llm.providers.work]\ntimeout = 0\n", 2, "`llm.providers.work.timeout` must be greater than 0"),
        ("[llm.providers.'a b']\ntimeout = 1\n", 1, "`llm.providers.a b` is not allowed letters"),
        ("[llm.providers.work]\napi_key_env = 'sk-1 2'\n", 2, "`llm.providers.work.api_key_env` the name of"),
        ("[llm.cache]\nstore = 'disk'\n", 2, "`llm.cache.store` must be 'memory' 'sqlite'"),
        ("[llm.outage]\nanswer = ''\n", 2, "`llm.outage.answer` must have at least 1 character"),
        ("[llm.safety]\nwords = [' ']\n", 2, "`llm.safety.words` must be words or phrases"),
        ("[llm.safety]\npatterns = ['a', '(?=b)']\n", 2, "`llm.safety.patterns` regular expression look-around"),
        ("[llm.safety]\non_finding = 'stop'\n", 2, "`llm.safety.on_finding` must be 'raise' 'end'"),
        ("[llm.context]\nfit = true\n", 2, "`llm.context.fit` must be 'off' 'trim' 'summarise'"),
        ("[llm.context]\ntokens = 0\n", 2, "`llm.context.tokens` must be greater than or equal to 1"),
        ("[profile.x.llm.providers.work]\ntimeuot = 1\n", 2, "`llm.providers.work.timeout`?"),
    ],
)
def test_table_and_key_of_what_is_wrong(text: str, line: int, words: str) -> None:
    error = _fault(text)
    said = f"{error} {error.detail}"
    assert f"{Path.cwd()}/sentient.toml:{line}" in said
    for word in words.split():
        assert word in said


@pytest.mark.parametrize("name", ["api_key", "api_keys"])
@pytest.mark.parametrize("where", ["llm.providers.openai", "profile.x.llm.providers.openai"])
def test_a_key_in_a_file_is_refused_and_not_repeated(name: str, where: str) -> None:
    error = _fault(f"[{where}]\n{name} = 'sk-very-secret'\n")
    assert "'openai' stands in a settings file" in error.what
    assert "sentient.toml:2" in error.why
    assert "api_key_env" in error.fix
    assert "very-secret" not in f"{error} {error.detail}"


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"SENTIENT_LLM_RETRY_ATTEMPTS"):
        load(environment={"SENTIENT_LLM_RETRY_ATTEMPTS": "often"})
    with pytest.raises(UsageError, match=r"--day"):
        load({"llm.budget.day": -1}, environment={})


def test_names_of_tables() -> None:
    assert {"llm", "llm.retry", "llm.providers", "server"} <= tables()
    assert {"llm.providers", "llm.groups", "llm.presets", "llm.parameters.extra"} <= set(open_tables())


def test_what_is_secret_in_settings_is_not_told_by_their_looks() -> None:
    address, header = "https://me:hunter2secret@host/v1", "abc-def-ghi"
    settings = ProviderSettings(base_url=address, headers={"X-Api-Key": header, "X-Team": "red"})
    looks = f"{settings!r} {settings} {LlmSettings(providers={'work': settings})!r}"
    assert "hunter2secret" not in looks
    assert header not in looks
    assert "red" in looks
    assert (settings.base_url, settings.headers["X-Api-Key"]) == (address, header)
