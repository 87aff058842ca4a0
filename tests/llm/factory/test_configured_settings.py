"""Settings of models that once were taken without a word: each holds, or is refused with a sentence."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sentient_cli.config.llm import LlmSettings, RetrySettings
from sentient_cli.errors import BadRequestError, ConfigError, ServerError
from sentient_cli.llm.resilience.retry import RetryContext, RetryPolicy
from tests.llm.factory.socket_kit import DOWN, Waits, configured, table
from tests.support.llm_server import LLMServer


async def test_the_offline_model_has_settings_and_another_of_its_kind_has_its_own() -> None:
    providers = {
        "offline": {"default_model": "echo", "options": {"seed": 3}, "requests_per_minute": 1},
        "slow": {"kind": "offline", "options": {"tokens_per_second": 40}},
    }
    async with configured({"model": "offline", "providers": providers, "usage": False}, clock=Waits()) as manager:
        answer = await manager.generate("Say it")
        assert (answer.text, answer.provider, answer.model) == ("Say it", "offline", "echo")
        slow = await manager.generate("What is 6 * 7?", model="slow")
        assert (slow.provider, slow.model, "42" in slow.text) == ("slow", "assistant", True)
        with pytest.raises(BadRequestError, match="has no 'nosuch'") as caught:
            await manager.generate("Hi", model="slow:nosuch")
        assert caught.value.provider == "slow"


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ({"options": {"nonsense": 1}}, "nonsense"),
        ({"base_url": "http://127.0.0.1:1"}, "base_url"),
        ({"options": {"tokens_per_second": -1}}, "tokens_per_second"),
        ({"default_model": "gpt-5"}, "has no 'gpt-5'"),
    ],
)
@pytest.mark.parametrize("name", ["offline", "slow"])
async def test_a_setting_that_the_offline_model_has_not_is_refused(
    name: str, provider: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        async with configured({"providers": {name: {**provider, "kind": "offline"}}, "usage": False}):
            pass
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["together", "offline", "mine"])
async def test_a_group_that_is_called_like_a_provider_is_refused(name: str) -> None:
    told = {"groups": {name: ["offline:echo"]}, "providers": {"mine": {"kind": "offline"}}, "usage": False}
    with pytest.raises(ConfigError, match=f"group '{name}' is called like a provider"):
        async with configured(told):
            pass


async def test_each_provider_is_asked_again_as_its_settings_say() -> None:
    clock = Waits()
    with LLMServer(DOWN) as one, LLMServer(DOWN) as two:
        told = {
            "retry": {"attempts": 3, "base": 1.0, "strategy": "constant", "jitter": "none"},
            "providers": {"one": table(one), "two": {**table(two), "retry": {"attempts": 4, "strategy": "linear"}}},
            "usage": False,
        }
        async with configured(told, clock=clock) as manager:
            for name in ("one", "two"):
                with pytest.raises(ServerError):
                    await manager.generate("Hi", model=f"{name}:small")
    assert (len(one.requests), len(two.requests)) == (3, 4)
    assert clock.slept == [1.0, 1.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "retry", [{"attempts": 21}, {"attempts": 0}, {"strategy": "sometimes"}, {"jitter": "some"}, {"attemps": 3}]
)
def test_a_retry_that_cannot_be_is_refused(retry: dict[str, object]) -> None:
    for told in ({"retry": retry}, {"providers": {"one": {"retry": retry}}}):
        with pytest.raises(ValidationError):
            LlmSettings.model_validate(told)


@pytest.mark.parametrize(
    ("strategy", "waits"),
    [("exponential", [1.0, 2.0, 4.0, 5.0]), ("linear", [1.0, 2.0, 3.0, 4.0]), ("constant", [1.0, 1.0, 1.0, 1.0])],
)
def test_waits_grow_as_the_strategy_says(strategy: str, waits: list[float]) -> None:
    policy = RetryPolicy(attempts=9, base=1.0, cap=5.0, jitter="none", strategy=strategy)  # type: ignore[arg-type]
    told = [policy.wait(RetryContext(error=ServerError("No"), attempt=attempt)) for attempt in (1, 2, 3, 4)]
    assert told == waits
    assert RetrySettings().strategy == policy.__struct_defaults__[3] == "exponential"


async def test_a_category_that_the_endpoint_has_not_is_refused_at_the_start() -> None:
    told: dict[str, object] = {"safety": {"moderation": "openai", "categories": ["violense"]}, "usage": False}
    with pytest.raises(ConfigError, match="no category 'violense'"):
        async with configured(told | {"providers": {"openai": {"api_key_env": "A_KEY"}}}, keys=["A_KEY"]):
            pass
