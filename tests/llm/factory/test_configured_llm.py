"""The manager that settings describe, over real sockets: choice, limits, budgets, costs, keys."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.errors import AuthenticationError, BudgetExceededError, CredentialNotFoundError, RateLimitError
from sentient_cli.host.llm import ConfiguredLLM, build_llm
from sentient_cli.llm import CallRecord, Parameters
from sentient_cli.llm.usage.ledger import ledger_file
from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import Answer, LLMServer, as_json, as_sse

ENVIRONMENT = {"ONE_KEY": "sk-one-1234", "TWO_KEY": "sk-two-1234"}


class Records:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def on_record(self, record: CallRecord) -> None:
        self.records.append(record)

    def of(self, kind: str) -> list[dict[str, object]]:
        return [dict(record.data) for record in self.records if record.kind == kind]


def _settings(one: LLMServer, two: LLMServer, **more: object) -> LlmSettings:
    def table(server: LLMServer, key: str) -> dict[str, object]:
        return {"kind": "openai", "base_url": f"{server.url}/v1", "api_key_env": key}

    told: dict[str, object] = {
        "model": "pair",
        "groups": {"pair": ["one:gpt-4o", "two:gpt-4o-mini"]},
        "providers": {"one": table(one, "ONE_KEY"), "two": table(two, "TWO_KEY")},
        "retry": {"attempts": 1},
    }
    return LlmSettings.model_validate(told | more)


def _with(settings: LlmSettings, work: Callable[[ConfiguredLLM], Awaitable[None]], hook: Records | None = None) -> None:
    async def main() -> None:
        clock = SystemClock()
        hooks = [hook] if hook is not None else []
        manager = build_llm(settings, clock, SystemIds(clock), environment=ENVIRONMENT, hooks=hooks)
        try:
            await work(manager)
        finally:
            await manager.aclose()

    asyncio.run(main())


@pytest.mark.story("3.5")
def test_calls_are_spread() -> None:
    hook = Records()
    with LLMServer(chat_answer("Hi")) as one, LLMServer(chat_answer("Hi")) as two:

        async def work(manager: ConfiguredLLM) -> None:
            answered = Counter([(await manager.generate("Hello")).provider for _ in range(6)])
            assert answered == {"one": 3, "two": 3}

        _with(_settings(one, two, strategy="round-robin"), work, hook)
        assert {request.headers["authorization"] for request in one.requests} == {"Bearer sk-one-1234"}
        assert {request.headers["authorization"] for request in two.requests} == {"Bearer sk-two-1234"}
    assert [told["policy"] for told in hook.of("llm.selection")] == ["round-robin"] * 6


@pytest.mark.story("3.5", "E3.3")
def test_the_cheapest_by_the_prices_of_the_day() -> None:
    with LLMServer(chat_answer("Hi")) as one, LLMServer(chat_answer("Hi", usage=(1000, 1000))) as two:

        async def work(manager: ConfiguredLLM) -> None:
            for name in ("one:gpt-4o", "two:gpt-4o-mini"):
                provider, _, model = name.partition(":")
                await manager.prices.ready(provider, model)
            answer = await manager.generate("Hello")
            assert (answer.provider, answer.cost) == ("two", 0.00075)

        _with(_settings(one, two, strategy="cheapest"), work)
        assert one.requests == []
    connection = sqlite3.connect(ledger_file())
    rows: list[tuple[object, ...]] = connection.execute("SELECT provider, input, output, cost FROM usage").fetchall()
    connection.close()
    assert rows == [("two", 1000, 1000, 0.00075)]


@pytest.mark.story("E2.2")
def test_easy_requests_go_to_the_cheaper_model_and_hard_ones_up() -> None:
    hook = Records()
    with LLMServer(chat_answer("Hi")) as one, LLMServer(chat_answer("Hi")) as two:

        async def work(manager: ConfiguredLLM) -> None:
            for provider, model in (("one", "gpt-4o"), ("two", "gpt-4o-mini")):
                await manager.prices.ready(provider, model)
            assert (await manager.generate("What is 2 + 2?")).provider == "two"
            assert (await manager.generate("word " * 1000)).provider == "one"

        _with(_settings(one, two, strategy="complexity"), work, hook)
    reasons = [str(told["reasons"]) for told in hook.of("llm.selection")]
    assert "the request is easy" in reasons[0]
    assert "the request is hard" in reasons[1]


def _limited(remaining: int) -> Answer:
    answer = chat_answer("Hi")
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": str(remaining),
        "x-ratelimit-reset-requests": "59s",
    }
    return Answer(answer.body, headers=headers)


@pytest.mark.story("1.8")
def test_a_limit_that_a_provider_tells_is_kept_by_going_elsewhere() -> None:
    with LLMServer(_limited(0)) as one, LLMServer(chat_answer("Hi")) as two:

        async def work(manager: ConfiguredLLM) -> None:
            answers = [await manager.generate("Hello") for _ in range(3)]
            assert [answer.provider for answer in answers] == ["one", "two", "two"]

        _with(_settings(one, two), work)
        assert len(one.requests) == 1


@pytest.mark.story("1.8")
def test_a_limit_without_anybody_else_is_an_error_and_nothing_is_sent() -> None:
    with LLMServer(_limited(0)) as one, LLMServer(chat_answer("Hi")) as two:

        async def work(manager: ConfiguredLLM) -> None:
            await manager.generate("Hello")
            with pytest.raises(RateLimitError, match="Nothing was sent") as caught:
                await manager.generate("Hello")
            assert caught.value.retry_after is not None
            assert caught.value.retry_after > 50

        _with(_settings(one, two, model="one:gpt-4o", groups={}), work)
        assert len(one.requests) == 1


@pytest.mark.story("2.7")
def test_a_budget_of_the_day_over_sockets() -> None:
    with LLMServer(chat_answer("Hi", usage=(100_000, 100_000))) as one, LLMServer(chat_answer("Hi")) as two:

        async def work(manager: ConfiguredLLM) -> None:
            first = await manager.generate("Hello")
            assert first.cost == 1.25
            assert any("100 % of the budget of the day" in notice for notice in first.notices)
            with pytest.raises(BudgetExceededError, match="budget of the day is used up"):
                await manager.generate("Hello")

        _with(_settings(one, two, model="one:gpt-4o", groups={}, budget={"day": 1.0}), work)
        assert (len(one.requests), two.requests) == (1, [])


@pytest.mark.story("E1.4", "1.4")
def test_a_refused_key_says_where_it_came_from_in_a_stream_too() -> None:
    refusal = as_json({"error": {"message": "No such key", "code": "invalid_api_key"}}, 401)
    with LLMServer(refusal) as one, LLMServer(refusal) as two:

        async def work(manager: ConfiguredLLM) -> None:
            with pytest.raises(AuthenticationError) as caught:
                [text async for text in manager.stream("Hello")]
            assert "the variable ONE_KEY (profile 'default')" in caught.value.why
            assert "sk-one" not in str(caught.value)

        _with(_settings(one, two, model="one:gpt-4o", groups={}), work)


@pytest.mark.story("1.7", "2.7")
def test_the_first_answer_has_a_cost_too_in_its_tier() -> None:
    """The table of prices takes longer to read than a quick server to answer."""
    with LLMServer(chat_answer("Hi", usage=(1_000_000, 0))) as one, LLMServer(chat_answer("Hi")) as two:

        async def work(manager: ConfiguredLLM) -> None:
            parameters = Parameters(service_tier="flex")
            assert (await manager.generate("Hello", model="one:gpt-5.1", parameters=parameters)).cost == 0.625
            assert (await manager.generate("Hello", model="one:gpt-5.1")).cost == 1.25
            unknown = Parameters(service_tier="scale")
            assert (await manager.generate("Hello", model="one:gpt-5.1", parameters=unknown)).cost is None

        _with(_settings(one, two), work)


@pytest.mark.story("1.7", "2.7")
@pytest.mark.parametrize("budget", [{}, {"call": 20.0, "day": 100.0}])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_answer_has_the_price_of_the_tier_it_was_given_in(api: str, budget: dict[str, float]) -> None:
    with LLMServer(_in_tier(api, "flex"), _in_tier(api, "default")) as one, LLMServer() as two:
        table = {"kind": "openai", "base_url": f"{one.url}/v1", "api_key_env": "ONE_KEY", "options": {"api": api}}

        async def work(manager: ConfiguredLLM) -> None:
            assert (await manager.generate("Hello")).cost == 0.625
            wanted = Parameters(service_tier="flex")
            assert (await manager.generate("Hello", parameters=wanted)).cost == 1.25
            assert manager.ledger is not None
            assert await manager.ledger.spent(since=0) == 1.875

        _with(_settings(one, two, model="one:gpt-5.1", groups={}, providers={"one": table}, budget=budget), work)


def _in_tier(api: str, tier: str) -> Answer:
    if api == "chat":
        choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
        return Answer(as_sse([{"choices": [choice], "service_tier": tier, "usage": usage}], done=True))
    response = {"id": "r", "model": "m", "service_tier": "auto"}
    ended = {**response, "service_tier": tier, "usage": {"input_tokens": 1_000_000, "output_tokens": 0}}
    return Answer(
        as_sse(
            [
                {"type": "response.created", "response": response},
                {"type": "response.output_text.delta", "delta": "Hi"},
                {"type": "response.completed", "response": ended},
            ]
        )
    )


def test_a_filter_without_a_key_is_said_before_anything_is_asked() -> None:
    with LLMServer() as one, LLMServer() as two:
        table = {"kind": "openai", "base_url": f"{two.url}/v1", "api_key_env": "NO_KEY"}
        settings = _settings(one, two, safety={"moderation": "judge"})
        judged = settings.model_copy(
            update={"providers": {**settings.providers, "judge": ProviderSettings.model_validate(table)}}
        )

        async def work(manager: ConfiguredLLM) -> None:
            with pytest.raises(CredentialNotFoundError, match="'judge' has no key"):
                manager.check_default()

        _with(judged, work)


@pytest.mark.story("1.8")
def test_a_limit_that_is_set_is_one_of_each_key() -> None:
    with LLMServer(chat_answer("Hi")) as one, LLMServer(chat_answer("Hi")) as two:

        async def work(manager: ConfiguredLLM) -> None:
            for _ in range(2):
                await manager.generate("Hello")
            with pytest.raises(RateLimitError, match="The limit of requests"):
                await manager.generate("Hello")

        table = {"kind": "openai", "base_url": f"{one.url}/v1", "api_key_env": ["ONE_KEY", "TWO_KEY"]}
        limited = {"one": table | {"requests_per_minute": 1}}
        _with(_settings(one, two, model="one:gpt-4o", groups={}, providers=limited), work)
        assert {request.headers["authorization"][7:10] for request in one.requests} == {"sk-"}
        assert len({request.headers["authorization"] for request in one.requests}) == 2
