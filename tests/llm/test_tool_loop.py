"""The tool loop: the model asks, the tools answer, and it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from sentient_cli import llm
from sentient_cli.errors import (
    BadRequestError,
    OutputError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    ToolDefinitionError,
    ToolLimitError,
)
from sentient_cli.llm import (
    Chunk,
    LLMManager,
    Message,
    Request,
    ToolCallDelta,
    Toolset,
    Usage,
    run_tools,
    stream_tools,
    tool,
)
from sentient_cli.llm.call import Call
from tests.llm.parts import PlainProvider, Records, manager, offline
from tests.llm.resilience.actors import STOP, Actor


@tool
def weather(city: str) -> str:
    """Look up the weather."""
    if city == "Nowhere":
        raise ValueError("no such city")
    return f"{len(city)} degrees"


class Report(BaseModel):
    city: str
    high: int


SCRIPT = r"""
fallback = "error"
[[rule]]
match = '(?i)weather in (?P<city>\w+)'
answer = "Let me look."
tool_calls = [
    { name = "weather", arguments = { city = "${city}" } },
    { name = "weather", arguments = { city = "Oslo!" } },
]
usage = { input = 10, cache_read = 0, cache_write = 0, output = 2, reasoning = 0 }
[[rule]]
on = "tool"
match = 'refused: (.*)'
answer = "Sorry: ${1}"
[[rule]]
on = "tool"
match = '(\d+) degrees'
answer = '{"city": "last", "high": ${1}}'
usage = { input = 30, cache_read = 0, cache_write = 0, output = 5, reasoning = 0 }
[[rule]]
match = "again"
tool_calls = [{ name = "weather", arguments = { city = "Rome" } }]
[[rule]]
on = "any"
match = "for ever"
tool_calls = [{ name = "again", arguments = {} }]
"""


@tool
def again() -> str:
    """Begin anew."""
    return "for ever"


async def test_tools_are_called_until_there_is_an_answer() -> None:
    records = Records()
    answer = await run_tools("weather in Rome?", [weather], manager=manager(offline(SCRIPT), hooks=[records]))
    assert answer.text == '{"city": "last", "high": 5}'
    assert [(message.role, message.text) for message in answer.messages] == [
        ("assistant", "Let me look."),
        ("tool", "4 degrees"),
        ("tool", "5 degrees"),
        ("assistant", answer.text),
    ]
    assert (answer.usage, answer.attempts) == (Usage(40, 0, 0, 7, 0), 2)
    asked = [record for record in records.records if record.kind == "llm.request"]
    assert len({record.parent for record in asked}) == 1
    assert asked[0].parent not in {None, asked[0].call, asked[1].call}


class _Costly:
    """Wants a tool, then answers; a dollar a token, and each call says something."""

    def __init__(self, *usages: Usage) -> None:
        self.usages = list(usages)

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        call.note("It is dear")
        call.note(f"{len(self.usages)} to go")
        if len(self.usages) > 1:
            yield Chunk(tool_call=ToolCallDelta(0, "1", "weather", '{"city": "Rome"}'))
        else:
            yield Chunk("Done")
        yield Chunk(usage=self.usages.pop(0))
        yield Chunk(finish_reason="stop")


@pytest.mark.parametrize(("first", "cost"), [(1.0, 5.0), (None, None)])
async def test_the_costs_the_usage_and_the_notices_of_all_answers_are_told(
    first: float | None, cost: float | None
) -> None:
    costly = _Costly(Usage(input=1, output=1), Usage(input=1, cache_read=5, output=2, reasoning=1))
    managed = LLMManager(
        [offline(SCRIPT)],
        default_model="offline",
        around_attempts=[lambda inner: costly],
        price=lambda provider, model, usage, tier: first if usage.output == 1 else 4.0,
    )
    answer = await run_tools("weather in Rome?", [weather], manager=managed)
    assert answer.text == "Done"
    assert answer.cost == cost
    assert answer.usage == Usage(input=2, cache_read=5, output=3, reasoning=1)
    assert answer.notices == ("It is dear", "2 to go", "1 to go")


def test_what_one_side_does_not_say_of_the_cache_counts_as_none() -> None:
    whole = Usage(input=1, output=1) + Usage(input=None, cache_read=2, cache_write=3, output=4, cache_write_1h=5)
    assert whole == Usage(None, 2, 3, 5, None, cache_write_1h=5)


async def test_a_refusal_is_told_to_the_model() -> None:
    answer = await run_tools("weather in Nowhere?", Toolset([weather]), manager=manager(offline(SCRIPT)))
    assert answer.steps[1].is_error
    assert answer.steps[1].text == "The tool 'weather' refused: no such city"


async def test_the_last_answer_can_have_a_type() -> None:
    managed = manager(offline(SCRIPT))
    answer = await run_tools("weather in Rome?", [weather], output=Report, manager=managed)
    assert answer.output == Report(city="last", high=5)
    assert len(answer.steps) == 3
    with pytest.raises(OutputError, match="no 'float'"):
        await run_tools("weather in Rome?", [weather], output=float, output_retries=0, manager=managed)


@pytest.mark.parametrize("steps", [1, 2, 5])
async def test_a_model_that_never_ends_is_ended(steps: int) -> None:
    records = Records()
    with pytest.raises(ToolLimitError, match=f"in each of {steps} answers"):
        await run_tools("for ever", [again], max_steps=steps, manager=manager(offline(SCRIPT), hooks=[records]))
    assert records.kinds.count("llm.request") == steps


async def test_the_text_of_all_answers_streams() -> None:
    managed = manager(offline(SCRIPT))
    async with stream_tools("weather in Rome?", [weather], manager=managed) as stream:
        texts = [text async for text in stream]
        answer = await stream.completion()
        assert (await stream.completion()) is answer
    assert "".join(texts) == 'Let me look.\n\n{"city": "last", "high": 5}'
    assert len(texts) > 3
    assert stream.metadata["provider"] == "offline"
    assert stream.metadata["finish_reason"] == "stop"


async def test_a_stream_that_is_closed_early_calls_nothing_more() -> None:
    records = Records()
    stream = stream_tools("weather in Rome?", [weather], manager=manager(offline(SCRIPT), hooks=[records]))
    async for _ in stream:
        break
    await stream.aclose()
    assert records.kinds.count("llm.request") == 1
    assert records.last()["outcome"] == "cancelled"
    with pytest.raises(ProviderError, match="closed before its end"):
        await stream.completion()


async def test_a_failure_of_a_later_call_is_the_failure() -> None:
    asks = PlainProvider([Chunk(tool_call=ToolCallDelta(0, "1", "weather", '{"city": "Rome"}')), Chunk("half")])
    stream = stream_tools("x", [weather], manager=manager(asks))
    for _ in range(2):
        with pytest.raises(ProviderConnectionError):
            await stream.completion()
    with pytest.raises(BadRequestError):
        await run_tools([], [weather])
    with pytest.raises(ToolDefinitionError):
        await run_tools("x", [weather, weather])


class _Obedient(PlainProvider):
    """Asks for a tool whenever it has to."""

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        if request.parameters.tool_choice in {"required", "weather"}:
            yield Chunk(tool_call=ToolCallDelta(0, "call", "weather", '{"city": "Rome"}'))
        else:
            yield Chunk(f"{request.messages[-1].text} with {request.parameters.temperature}")
        yield STOP


@pytest.mark.parametrize("choice", ["required", "weather"])
async def test_a_tool_that_has_to_be_called_is_called_once(choice: str) -> None:
    parameters = llm.Parameters(tool_choice=choice, temperature=0.5)
    answer = await run_tools("Rome?", [weather], manager=manager(_Obedient()), parameters=parameters)
    assert (answer.text, answer.attempts) == ("4 degrees with 0.5", 2)
    streamed = stream_tools("Rome?", [weather], manager=manager(_Obedient()), parameters=parameters)
    assert (await streamed.completion()).text == "4 degrees with 0.5"


async def test_each_call_has_the_options() -> None:
    provider = PlainProvider([Chunk("Hel")], hang=True)
    whole = manager(provider)
    hurried = llm.CallOptions(timeout=0.01)
    with pytest.raises(ProviderTimeoutError):
        await run_tools("Hello", [weather], manager=whole, options=hurried)
    with pytest.raises(ProviderTimeoutError):
        await run_tools("Hello", [weather], manager=whole, output=Report, options=hurried)
    with pytest.raises(ProviderTimeoutError):
        await stream_tools("Hello", [weather], manager=whole, options=hurried).completion()
    assert provider.open == 0


async def test_without_a_manager_it_is_that_of_the_run_or_the_offline_model() -> None:
    token = llm.current_manager.set(manager(offline(SCRIPT)))
    assert (await run_tools("weather in Rome?", [weather])).steps
    llm.current_manager.reset(token)
    assert (await run_tools("weather: Rome", [weather])).text == "The tool `weather` gave: 4 degrees"


@pytest.mark.slow
@given(st.integers(0, 40))
async def test_cancelling_anywhere_leaves_nothing_open(turns: int) -> None:
    entered = 0

    @tool(name="weather")
    async def slow(city: str) -> str:
        nonlocal entered
        entered += 1
        try:
            for _ in range(len(city) * 2):
                await asyncio.sleep(0)
        finally:
            entered -= 1
        return "9 degrees"

    provider = offline(SCRIPT)
    task = asyncio.create_task(run_tools("weather in Rome?", [slow], manager=manager(provider)))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert (entered, provider.metrics().active) == (0, 0)


@pytest.mark.slow
@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
async def test_in_every_conversation_calls_and_results_stay_together(counts: list[int]) -> None:
    rest = list(counts)

    class Counting(PlainProvider):
        @property
        def _answer(self) -> list[Chunk]:
            calls = rest.pop(0) if rest else 0
            made = [Chunk(tool_call=ToolCallDelta(each, f"c{each}", "again", "{}")) for each in range(calls)]
            return [Chunk("said"), *made, Chunk(finish_reason="stop")]

        @property
        def _chunks(self) -> list[Chunk]:
            return self._answer

        @_chunks.setter
        def _chunks(self, _chunks: object) -> None:
            return

    answer = await run_tools("x", [again], manager=manager(Counting()))
    assert not answer.tool_calls
    for message, following in pairwise(answer.messages):
        assert (following.role == "tool") is bool(message.tool_calls or message.role == "tool") or (
            message.role == "tool" and following.role == "assistant"
        )
    asked = sum(len(message.tool_calls) for message in answer.messages)
    assert asked == sum(message.role == "tool" for message in answer.messages)
    assert all(isinstance(message, Message) for message in answer.steps)


@tool
def final_answer(x: int) -> int:
    """Double a number."""
    return 2 * x


async def test_a_tool_may_be_called_like_the_one_that_gives_an_answer_of_a_type() -> None:
    wanted = [Chunk(tool_call=ToolCallDelta(0, "c1", "final_answer", '{"x": 2}')), Chunk(finish_reason="tool_call")]
    actor = Actor(wanted, [Chunk("Four"), STOP])
    managed = LLMManager([actor], default_model="plain")
    answer = await run_tools("Double 2", [final_answer], manager=managed)
    assert (answer.text, [step.text for step in answer.steps]) == ("Four", ["", "4"])
    with pytest.raises(BadRequestError, match="'final_answer' beside `output`"):
        await run_tools("Double 2", [final_answer], output=int, manager=managed)
    assert actor.calls == 2
