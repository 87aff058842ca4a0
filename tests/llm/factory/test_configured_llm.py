"""The manager that settings describe, over real sockets: choice, limits, budgets, costs, keys."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from sentient_cli.errors import AuthenticationError, BudgetExceededError, CredentialNotFoundError, RateLimitError
from sentient_cli.host.llm import ConfiguredLLM
from sentient_cli.llm import Parameters
from sentient_cli.llm.usage.ledger import ledger_file
from tests.cli.llm_command_kit import chat_answer
from tests.llm.factory.socket_kit import Records, configured, pair, refusal, table
from tests.llm.providers import anthropic_wire
from tests.support.llm_server import Answer, LLMServer, Received, as_json, as_sse

KEYS = ("ONE_KEY", "TWO_KEY")


def _settings(one: LLMServer, two: LLMServer, **more: object) -> dict[str, object]:
    providers = {"one": table(one, "openai", KEYS[0]), "two": table(two, "openai", KEYS[1])}
    told: dict[str, object] = {"groups": {"pair": ["one:gpt-4o", "two:gpt-4o-mini"]}, "providers": providers}
    return pair(one, two) | told | {"usage": True} | more


def _with(
    settings: dict[str, object], work: Callable[[ConfiguredLLM], Awaitable[None]], hook: Records | None = None
) -> None:
    async def main() -> None:
        async with configured(settings, *([hook] if hook is not None else []), keys=KEYS) as manager:
            await work(manager)

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


@pytest.mark.story("1.7")
def test_an_answer_of_anthropic_has_the_price_of_its_tier_too() -> None:
    tiers = {"standard": 2.0, "batch": 1.0, "priority": None}  # what was agreed upon for that, nobody knows here
    with LLMServer(*map(_of_anthropic, tiers)) as one, LLMServer() as two:
        table = {"kind": "anthropic", "base_url": one.url, "api_key_env": "ONE_KEY"}

        async def work(manager: ConfiguredLLM) -> None:
            answers = [await manager.generate("Hello") for _ in tiers]
            assert [answer.cost for answer in answers] == list(tiers.values())
            assert [(answer.extra or {}).get("service_tier") for answer in answers] == list(tiers)

        _with(_settings(one, two, model=f"one:{anthropic_wire.MODEL}", groups={}, providers={"one": table}), work)


def _of_anthropic(tier: str) -> Answer:
    said = anthropic_wire.block(0, {"type": "text", "text": "Hi"}, [])
    begun = anthropic_wire.start(input_tokens=1_000_000, service_tier=tier)
    return Answer(as_sse([begun, *said, *anthropic_wire.ending(output=0)], names=True))


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
        judged = _settings(one, two, model="one:gpt-4o", groups={}, safety={"moderation": "judge"})
        judged["providers"] = {"one": table | {"api_key_env": "ONE_KEY"}, "judge": table}

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
            with pytest.raises(RateLimitError, match=r"The limit .* is reached"):
                await manager.generate("Hello")

        table = {"kind": "openai", "base_url": f"{one.url}/v1", "api_key_env": ["ONE_KEY", "TWO_KEY"]}
        limited = {"one": table | {"requests_per_minute": 1}}
        _with(_settings(one, two, model="one:gpt-4o", groups={}, providers=limited), work)
        assert {request.headers["authorization"][7:10] for request in one.requests} == {"sk-"}
        assert len({request.headers["authorization"] for request in one.requests}) == 2


@pytest.mark.story("1.8")
@pytest.mark.parametrize("limit", [{"requests_per_minute": 1}, {"tokens_per_minute": 1000}])
def test_a_key_that_rests_leaves_its_share_to_no_other(limit: dict[str, int]) -> None:
    def answer(request: Received) -> Answer:
        is_one = request.headers["authorization"].endswith("sk-one-1234")
        return refusal(429, **{"retry-after": "60"}) if is_one else chat_answer("Hi", usage=(1, 900))

    with LLMServer(answer) as one, LLMServer() as two:

        async def work(manager: ConfiguredLLM) -> None:
            assert (await manager.generate("Hello")).text == "Hi"
            with pytest.raises(RateLimitError, match="Nothing was sent"):
                await manager.generate("Hello")

        table = {"kind": "openai", "base_url": f"{one.url}/v1", "api_key_env": ["ONE_KEY", "TWO_KEY"], **limit}
        _with(_settings(one, two, model="one:gpt-4o", groups={}, providers={"one": table}), work)
        assert len(one.requests) == 2, "one with each key"
