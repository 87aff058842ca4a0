from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ContentFilterError,
    ContextLengthExceededError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm import Chunk, Message, OfflineProvider, Parameters, ToolCall, ToolSpec, Usage
from sentient_cli.llm.call import CallOptions
from sentient_cli.llm.offline import OfflineConfig
from sentient_cli.llm.offline.tokens import count_tokens, split_tokens
from tests.llm.parts import StepClock, manager, offline, request

PING = ToolSpec("ping")


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text
    assert count_tokens(text) == len(split_tokens(text))


@pytest.mark.slow
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.integers(0, 3))
async def test_the_same_talk_gives_the_same_answer_at_every_pace(said: list[str], seed: int) -> None:
    paces = (OfflineConfig(), OfflineConfig(tokens_per_second=7, first_token=0.5))
    answers = [
        [chunk async for chunk in OfflineProvider(config=pace, clock=StepClock()).stream(asked)]
        for pace in paces
        for asked in [request(*said, parameters=Parameters(seed=seed))]
    ]
    assert answers[0] == answers[1]
    text = "".join(chunk.text for chunk in answers[0])
    usage = answers[0][-1].usage
    assert usage is not None
    assert usage.output == sum(bool(chunk.text) for chunk in answers[0]) == count_tokens(text)
    assert usage.total == sum(map(count_tokens, [*said, text]))


async def test_it_streams_at_the_set_pace() -> None:
    clock = StepClock()
    model = offline('[pace]\ntokens_per_second = 4\nfirst_token = 2\n[[rule]]\nanswer = "one two three four"', clock)
    began = clock.time
    at = [((clock.time - began) / 1e9, chunk.text) async for chunk in model.stream(request("hi")) if chunk.text]
    assert at == [(2.0, "one "), (2.25, "two "), (2.5, "three "), (2.75, "four")]


async def test_without_a_pace_a_long_answer_lets_others_run() -> None:
    clock = StepClock()
    await offline(clock=clock).generate(request("word " * 100, model="echo"))
    assert clock.slept == [0, 0, 0, 0]


async def test_an_echo_says_what_it_was_told() -> None:
    answer = await offline().generate(request("Hello  there\n", model="echo"))
    assert (answer.text, answer.finish_reason, answer.model) == ("Hello  there\n", "stop", "echo")
    assert answer.usage == Usage(2, 0, 0, 2, 0)


async def test_max_tokens_cuts_the_answer() -> None:
    answer = await offline().generate(request("a b c d", model="echo", parameters=Parameters(max_tokens=2)))
    assert (answer.text, answer.finish_reason, answer.usage.output) == ("a b ", "length", 2)


async def test_stop_ends_the_answer_before_the_first_of_them() -> None:
    asked = request("one two three", model="echo", parameters=Parameters(stop=("three", "two")))
    answer = await offline().generate(asked)
    assert (answer.text, answer.finish_reason) == ("one ", "stop")


async def test_a_rule_answers_with_groups() -> None:
    model = offline(
        r"""
        [[rule]]
        match = '(?i)weather in (?P<city>\w+)( tomorrow)?'
        answer = "${city} (${1}${2}) on turn ${turn} by ${model}, use ${use}, costs $5, $${city}"
        """
    )
    answer = await manager(model).generate("The weather in Rome?")
    assert answer.text == "Rome (Rome) on turn 1 by assistant, use 1, costs $5, ${city}"


async def test_a_rule_calls_a_tool_and_another_reads_its_result() -> None:
    model = manager(
        offline(
            """
            [[rule]]
            match = 'weather in (\\w+)'
            answer = "Let me look."
            tool_calls = [
                { name = "look_up", arguments = { city = "${1}", days = [1, "${1}"] } },
                { name = "broken", arguments = "{not json", id = "mine" },
            ]
            [[rule]]
            on = "tool"
            tool = "look_up"
            match = '(\\d+) degrees'
            answer = "It is ${1} (${tool})."
            """
        )
    )
    question = Message.user("weather in Rome")
    first = await model.generate([question])
    assert (first.text, first.finish_reason) == ("Let me look.", "tool_call")
    assert first.tool_calls == (
        ToolCall("call_1", "look_up", '{"city":"Rome","days":[1,"Rome"]}'),
        ToolCall("mine", "broken", "{not json"),
    )
    second = await model.generate([question, first.message, Message.tool(first.tool_calls[0], "21 degrees")])
    assert (second.text, second.finish_reason) == ("It is 21 (look_up).", "stop")


async def test_turn_model_and_times_restrict_a_rule() -> None:
    model = offline(
        """
        fallback = "error"
        [[rule]]
        turn = 2
        answer = "second turn"
        [[rule]]
        model = "other"
        answer = "other model"
        [[rule]]
        times = 1
        answer = "once"
        [[rule]]
        on = "any"
        match = "^finally"
        answer = "at last"
        """
    )
    assert (await model.generate(request("a", "b"))).text == "second turn"
    assert (await model.generate(request("a", model="other"))).text == "other model"
    assert (await model.generate(request("a"))).text == "once"
    with pytest.raises(BadRequestError, match="No rule"):
        await model.generate(request("a"))
    assert (await model.generate(request("finally"))).text == "at last"
    model.reset()
    assert (await model.generate(request("a"))).text == "once"


async def test_usage_and_finish_can_be_scripted() -> None:
    model = offline(
        """
        [[rule]]
        match = "some"
        answer = "one two"
        usage = { input = 100, cache_read = 5, reasoning = 1 }
        finish = "content_filter"
        [[rule]]
        usage = false
        """
    )
    answer = await model.generate(request("some"))
    assert answer.usage == Usage(100, 5, 0, 2, 1)
    assert answer.finish_reason == "content_filter"
    silent = await model.generate(request("none"))
    assert (silent.text, silent.usage) == ("", Usage())


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit", RateLimitError),
        ("server_error", ServerError),
        ("connection", ProviderConnectionError),
        ("timeout", ProviderTimeoutError),
        ("content_filter", ContentFilterError),
        ("context_length", ContextLengthExceededError),
        ("authentication", AuthenticationError),
        ("permission", PermissionDeniedError),
        ("quota", QuotaError),
        ("bad_request", BadRequestError),
        ("truncated", ProviderConnectionError),
    ],
)
async def test_every_failure_is_the_typed_error(kind: str, error: type[ProviderError]) -> None:
    clock = StepClock()
    model = offline(
        f'[[rule]]\nanswer = "one two three"\nfail = {{kind = "{kind}", after = 2, delay = 3, retry_after = 1.5}}',
        clock,
    )
    with pytest.raises(error) as caught:
        await manager(model).generate("hi", options=CallOptions(after_content="fail"))
    assert type(caught.value) is error
    assert (caught.value.partial_text, caught.value.provider) == ("one two ", "offline")
    assert clock.slept[-1] == 3
    if kind != "truncated":
        assert caught.value.retry_after == 1.5
        assert model.metrics().errors == 1


async def test_a_failure_says_what_the_script_says() -> None:
    model = offline('[[rule]]\nfail = {kind = "quota", message = "Nothing left."}')
    with pytest.raises(QuotaError, match=r"^Nothing left\. The script"):
        await model.generate(request("hi"))


async def test_fail_once_then_answer() -> None:
    model = offline('[[rule]]\ntimes = 1\nfail = {kind = "server_error"}\n[[rule]]\nanswer = "fine"')
    with pytest.raises(ServerError):
        await model.generate(request("hi"))
    assert (await model.generate(request("hi"))).text == "fine"


async def test_an_unknown_model_needs_a_script() -> None:
    with pytest.raises(BadRequestError, match="has no 'gpt'"):
        await offline().generate(request("hi", model="gpt"))
    answer = await offline('models = ["small"]\nfallback = "echo"').generate(request("hi", model="gpt"))
    assert (answer.text, answer.model) == ("hi", "gpt")


async def test_it_names_its_models_and_counts_tokens() -> None:
    model = offline('models = ["small", "echo"]')
    assert [info.id for info in await model.models()] == ["small", "echo", "assistant"]
    assert model.capabilities.models == ("small", "echo", "assistant")
    call = ToolCall("call_1", "add", '{"a":1}')
    counted = await model.count_tokens(request("one two", Message.assistant("", (call,)), tools=[PING]))
    schema = msgspec.json.encode(PING).decode()
    assert (counted.tokens, counted.exact) == (2 + 2 + count_tokens(schema), True)
    await model.initialize()
    await model.validate()
    await model.aclose()


async def test_settings_change_all_or_none() -> None:
    model = OfflineProvider()
    await model.update_config({"default_model": "echo", "first_token": 1})
    assert (model.config.default_model, model.config.first_token) == ("echo", 1.0)
    for wrong in ({"speed": 1}, {"seed": "x"}, {"first_token": -1}, {"tokens_per_second": float("nan"), "seed": 5}):
        with pytest.raises(ConfigError, match="settings of the offline model"):
            await model.update_config(wrong)
    assert model.config.seed == 0


async def test_metrics_count_calls() -> None:
    model = offline()
    stream = model.stream(request("one two three", model="echo"))
    assert await anext(stream) == Chunk("one ")
    assert model.metrics().active == 1
    await stream.aclose()
    await model.generate(request("one", model="echo"))
    counted = model.metrics()
    assert (counted.requests, counted.active, counted.errors) == (2, 0, 0)
    assert (counted.input_tokens, counted.output_tokens) == (1, 1)


@given(st.integers(0, 30))
async def test_cancelling_at_any_chunk_leaves_nothing(turns: int) -> None:
    model = offline("[pace]\ntokens_per_second = 10")
    task = asyncio.create_task(manager(model).generate("word " * 40, model="offline:echo"))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.metrics().active == 0
