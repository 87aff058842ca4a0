"""Keys of a provider over real sockets: one that is refused or used up is passed by, for the model that it is about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

import pytest

from sentient_cli.config.secret import Secret
from sentient_cli.errors import AuthenticationError, RateLimitError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.limits.limiter import Limited
from sentient_cli.llm.resilience.policies import ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import Answer, LLMServer, Received, as_json

ONCE = ResiliencePolicies(retry=RetryPolicy(attempts=1))


def _asked(
    answer: Callable[[Received], Answer], keys: Sequence[str], work: Callable[[LLMManager], Awaitable[None]]
) -> list[tuple[str, object]]:
    """Do something with a manager, and give the keys and models of the requests."""
    with LLMServer(answer) as server:

        async def main() -> None:
            config = CompatibleConfig(
                base_url=f"{server.url}/v1", default_model="m", api_keys=tuple(Secret(key) for key in keys)
            )
            provider = CompatibleProvider("vllm", config)
            manager = LLMManager(
                [provider],
                default_model="vllm",
                policies=ONCE,
                around_attempts=[lambda inner: Limited(inner, keys_of=lambda _: provider.keys)],
            )
            try:
                await work(manager)
            finally:
                await manager.aclose()

        asyncio.run(main())
        return [(_key(request), json.loads(request.body)["model"]) for request in server.requests]


def _key(request: Received) -> str:
    return request.headers["authorization"].removeprefix("Bearer ")


def _refusing(*good: str, status: int = 429, code: str = "rate_limit_exceeded") -> Callable[[Received], Answer]:
    refusal = as_json({"error": {"message": "No", "code": code}}, status)
    headers = {"retry-after": "60"}
    refused = Answer(refusal.body, status=status, headers=headers, content_type="application/json")
    return lambda request: chat_answer("Hi") if _key(request) in good else refused


@pytest.mark.story("1.8")
@pytest.mark.parametrize(("status", "code"), [(429, "rate_limit_exceeded"), (429, "insufficient_quota"), (401, "no")])
def test_of_five_keys_the_one_that_works_answers(status: int, code: str) -> None:
    async def work(manager: LLMManager) -> None:
        for _ in range(2):
            answer = await manager.generate("Hello")
            assert (answer.text, answer.attempts) == ("Hi", 1)
        assert set(manager.breakers.states().values()) == {"closed"}

    asked = _asked(_refusing("five", status=status, code=code), ["one", "two", "three", "four", "five"], work)
    assert [key for key, _ in asked] == ["one", "two", "three", "four", "five", "five"]


@pytest.mark.story("1.8")
def test_when_all_keys_are_refused_each_was_asked_once() -> None:
    async def work(manager: LLMManager) -> None:
        with pytest.raises(AuthenticationError):
            await manager.generate("Hello")

    assert len(_asked(_refusing(status=401, code="no"), ["one", "two", "three"], work)) == 3


def _telling(used_up: Callable[[Received], bool]) -> Callable[[Received], Answer]:
    def answer(request: Received) -> Answer:
        headers = {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "0" if used_up(request) else "59",
            "x-ratelimit-reset-requests": "60s",
        }
        return Answer(chat_answer("Hi").body, headers=headers)

    return answer


@pytest.mark.story("1.8")
def test_a_key_that_is_used_up_stops_no_other() -> None:
    async def work(manager: LLMManager) -> None:
        for _ in range(4):
            await manager.generate("Hello")

    asked = _asked(_telling(lambda request: _key(request) == "one"), ["one", "two"], work)
    assert [key for key, _ in asked] == ["one", "two", "two", "two"]


@pytest.mark.story("1.8")
def test_a_model_that_is_used_up_stops_no_other_and_nothing_is_sent_to_it() -> None:
    async def work(manager: LLMManager) -> None:
        await manager.generate("Hello", model="vllm:large")
        with pytest.raises(RateLimitError, match="Nothing was sent") as caught:
            await manager.generate("Hello", model="vllm:large")
        assert caught.value.retry_after == pytest.approx(60, abs=5)
        await manager.generate("Hello", model="vllm:small")

    asked = _asked(_telling(lambda _: True), ["one"], work)
    assert asked == [("one", "large"), ("one", "small")]


@pytest.mark.story("1.8")
def test_a_refusal_of_one_model_is_none_of_another() -> None:
    refusal = _refusing()

    def answer(request: Received) -> Answer:
        is_busy = _key(request) == "one" and json.loads(request.body)["model"] == "large"
        return refusal(request) if is_busy else chat_answer("Hi")

    async def work(manager: LLMManager) -> None:
        for model in ("large", "large", "small", "small"):
            await manager.generate("Hello", model=f"vllm:{model}")

    asked = _asked(answer, ["one", "two"], work)
    assert asked == [("one", "large"), ("two", "large"), ("two", "large"), ("one", "small"), ("two", "small")]
