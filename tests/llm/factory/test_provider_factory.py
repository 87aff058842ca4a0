"""From a name and settings to a provider: made when it is needed, with the right key or a helpful error."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint

import pytest

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.llm import BreakerSettings, CacheSettings, LlmSettings, ProviderSettings, RetrySettings
from sentient_cli.config.secret import Secret
from sentient_cli.errors import AuthenticationError, ConfigError, CredentialNotFoundError
from sentient_cli.host.llm import ConfiguredLLM, build_llm
from sentient_cli.llm import LLMProvider, Message, OfflineProvider, Request
from sentient_cli.llm.providers import factory
from sentient_cli.llm.providers.factory import is_known, provider_factory
from sentient_cli.llm.providers.keys import Keys, find_keys, missing_key, say_where
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.redact import redactor

OPENAI = KINDS["openai"]


def _build(settings: LlmSettings | None = None, **environment: str) -> ConfiguredLLM:
    clock = SystemClock()
    return build_llm(settings or LlmSettings(usage=False), clock, SystemIds(clock), environment=environment)


@pytest.mark.parametrize(
    ("settings", "environment", "given", "found", "source"),
    [
        (None, {"OPENAI_API_KEY": "sk-env-1"}, None, ["sk-env-1"], "the variable OPENAI_API_KEY"),
        (None, {"OPENAI_API_KEY": " sk-env-1\n"}, None, ["sk-env-1"], "the variable OPENAI_API_KEY"),
        (None, {"OPENAI_API_KEY": "sk-env-1"}, "sk-arg-1", ["sk-arg-1"], "what the program was given"),
        (
            ProviderSettings(api_key_env=("WORK",)),
            {"OPENAI_API_KEY": "sk-env-1", "WORK": "sk-work-1"},
            None,
            ["sk-work-1"],
            "the variable WORK",
        ),
        (
            ProviderSettings(api_key_env=("ONE", "NONE", "TWO")),
            {"ONE": "sk-one-1", "TWO": "sk-two-1"},
            None,
            ["sk-one-1", "sk-two-1"],
            "the variables ONE, TWO",
        ),
        (ProviderSettings(api_key_env=("WORK",)), {"OPENAI_API_KEY": "sk-env-1"}, None, [], ""),
        (ProviderSettings(base_url="https://proxy.example"), {"OPENAI_API_KEY": "sk-env-1"}, None, [], ""),
        (None, {"OPENAI_API_KEY": "  "}, None, [], ""),
    ],
)
def test_the_declared_order_of_keys(
    settings: ProviderSettings | None,
    environment: Mapping[str, str],
    given: str | None,
    found: list[str],
    source: str,
) -> None:
    keys = find_keys(OPENAI, settings, environment, given=Secret(given) if given else None)
    assert ([key.reveal() for key in keys.found], keys.source) == (found, source)


def test_a_key_that_was_found_is_masked_everywhere() -> None:
    find_keys(OPENAI, ProviderSettings(api_key_env=("ODD",)), {"ODD": "no-usual-form-of-key"})
    assert "no-usual-form" not in redactor.redact("It is no-usual-form-of-key.")


def test_errors_of_keys() -> None:
    missing = missing_key("work", Keys(looked=("A_KEY", "B_KEY"), profile="night"))
    assert "Neither A_KEY nor B_KEY is set (profile 'night')" in missing.why
    moved = missing_key("work", Keys())
    assert 'api_key_env = "NAME"' in moved.fix
    refused = AuthenticationError("Refused", why="Wrong key")
    say_where(refused, Keys((Secret("x"),), "the variable A_KEY", ("A_KEY",), "night"))
    say_where(refused, Keys((Secret("x"),), "the variable A_KEY", ("A_KEY",), "night"))
    assert refused.why == "Wrong key. The key is that of the variable A_KEY (profile 'night')"
    assert "Set A_KEY anew" in refused.fix


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"offline"}))
def test_every_kind_can_be_made(kind: str) -> None:
    settings = ProviderSettings(kind=kind, base_url="http://127.0.0.1:9/v1", api_key_env=("A_KEY",), timeout=7)
    provider = provider_factory("mine", settings, {"A_KEY": "sk-some-1234"})
    assert provider.provider_id == "mine"
    assert not provider.is_made
    assert (provider.made.provider_id, provider.config.timeout) == ("mine", 7.0)
    assert "sk-some-1234" not in repr(provider.config)
    asyncio.run(provider.aclose())


@pytest.mark.parametrize("kind", sorted(name for name, kind in KINDS.items() if kind.needs_key))
def test_every_kind_that_needs_a_key_says_so_when_it_is_asked(kind: str) -> None:
    provider = provider_factory(kind, None, {})
    request = Request(model="m", messages=(Message.user("Hi"),))
    for ask in (provider.initialize, provider.validate, provider.models, lambda: provider.generate(request)):
        with pytest.raises(CredentialNotFoundError, match=KINDS[kind].variables[0]):
            asyncio.run(ask())
    assert provider.metrics().requests == 0
    asyncio.run(provider.aclose())


def test_options_reach_the_provider_and_wrong_ones_are_named() -> None:
    good = ProviderSettings(options={"api_version": "2023-06-01"})
    provider = provider_factory("anthropic", good, {"ANTHROPIC_API_KEY": "sk-ant-1234"})
    assert getattr(provider.config, "api_version", None) == "2023-06-01"
    bad = provider_factory("anthropic", ProviderSettings(options={"colour": 1}), {"ANTHROPIC_API_KEY": "sk-ant-1234"})
    with pytest.raises(ConfigError, match="colour"):
        bad.config  # noqa: B018 - it is made


def test_an_unknown_kind() -> None:
    with pytest.raises(ConfigError, match="Did you mean `groq`"):
        provider_factory("grog", None, {})
    assert not is_known("grog")


def test_somebody_elses_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, object]] = []

    def make(provider_id: str, settings: Mapping[str, object], environment: Mapping[str, str]) -> LLMProvider:
        seen.append((provider_id, dict(settings)))
        assert environment == {"PARROT_KEY": "x"}
        return OfflineProvider()

    class Point(EntryPoint):
        def load(self) -> object:
            return make

    def points(*, group: str) -> Iterable[EntryPoint]:
        assert group == "sentient.providers"
        return [Point("parrot", "parrots:make", group)]

    monkeypatch.setattr("importlib.metadata.entry_points", points)
    factory._third_parties.cache_clear()
    try:
        settings = ProviderSettings(kind="parrot", timeout=3, options={"colour": "green"})
        provider = provider_factory("polly", settings, {"PARROT_KEY": "x"})
        assert provider.config.default_model == "assistant"
        assert seen == [("polly", {"kind": "parrot", "timeout": 3.0, "options": {"colour": "green"}})]
        manager = _build(LlmSettings(model="parrot:x", usage=False), PARROT_KEY="x")
        assert manager.resolve()[1] == "x"
    finally:
        factory._third_parties.cache_clear()


def test_a_lazy_provider_is_the_provider() -> None:
    provider = LazyProvider("offline", OfflineProvider)
    request = Request(model="echo", messages=(Message.user("Hi"),))

    async def main() -> None:
        assert (await provider.generate(request)).text == "Hi"
        assert [chunk.text async for chunk in provider.stream(request) if chunk.text] == ["Hi"]
        await provider.update_config({"seed": 4})
        await provider.validate()
        assert (await provider.count_tokens(request)).exact
        assert len(await provider.models()) == 2
        assert provider.capabilities.tools
        assert provider.limits == {}
        assert provider.metrics().requests == 2
        await provider.aclose()

    asyncio.run(main())


def test_a_manager_knows_every_kind_without_settings() -> None:
    manager = _build(OPENAI_API_KEY="sk-mine-1234")
    provider, model = manager.resolve("openai:a-model-of-tomorrow")
    assert (provider.provider_id, model) == ("openai", "a-model-of-tomorrow")
    with pytest.raises(ConfigError, match="There is no provider 'opneai'") as caught:
        manager.resolve("opneai:x")
    assert "Did you mean the provider `openai`?" in caught.value.fix
    assert manager.resolve()[0].provider_id == "offline"


@pytest.mark.parametrize("model", ["compatible:small", "compatble:small", "compatible"])
def test_a_kind_is_no_provider_and_what_it_takes_is_said(model: str) -> None:
    with pytest.raises(ConfigError, match="There is no provider") as caught:
        _build().resolve(model)
    assert "[llm.providers.mine] with `kind` and `base_url`, and write `mine:model`" in caught.value.fix


def test_settings_become_policies() -> None:
    settings = LlmSettings(
        model="work:small",
        fallback=("offline",),
        usage=False,
        deadline=50,
        failover="restart",
        retry=RetrySettings(attempts=5, base=0.1, cap=1, budget=0.2),
        breaker=BreakerSettings(failures=2, seconds=3),
        cache=CacheSettings(enabled=True, seconds=60),
        groups={"fast": ("work:small", "groq:x")},
        providers={"work": ProviderSettings(kind="openai", first_token_timeout=4, attempt_timeout=9)},
    )
    manager = _build(settings)
    policies = manager.policies
    assert policies.retry.attempts == 5
    assert (policies.breaker.failures, policies.breaker.open_for) == (2, 3.0)
    assert (policies.failover.after_content, policies.deadlines.total, policies.retry_share) == ("restart", 50.0, 0.2)
    assert policies.deadlines_of("work").first_token == 4.0
    assert policies.cache is not None
    assert manager.groups["fast"] == ("work:small", "groq:x")


@pytest.mark.parametrize(
    "strategy", ["order", "round-robin", "weighted", "latency", "least-busy", "cheapest", "complexity", "sticky"]
)
def test_every_strategy_can_be_set(strategy: str) -> None:
    settings = LlmSettings.model_validate(
        {"model": "offline:echo", "strategy": strategy, "groups": {"all": ["offline:echo", "offline:assistant"]}}
    )
    manager = _build(settings)

    async def main() -> str:
        answer = await manager.generate("Hi")
        await manager.aclose()
        return answer.provider

    assert asyncio.run(main()) == "offline"


@pytest.mark.slow
def test_no_sdk_is_loaded_before_it_is_used() -> None:
    code = """
import sys
from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.llm import LlmSettings
from sentient_cli.host.llm import build_llm
clock = SystemClock()
environment = {"OPENAI_API_KEY": "sk-1234"}
manager = build_llm(LlmSettings(model="openai:gpt-5"), clock, SystemIds(clock), environment=environment)
manager.resolve()
print([name for name in ("openai", "anthropic", "aiohttp", "genai_prices", "httpx2") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
