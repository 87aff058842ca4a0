"""What a model is told of the tools that it asked for: results, refusals and failures."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import msgspec
import pytest
from pydantic import BaseModel, Field

from sentient_cli.errors import BadRequestError, ResponseClosedError, ToolDefinitionError, ToolError
from sentient_cli.llm import ImagePart, SyncTool, TextPart, ToolCall, Toolset, current_manager, tool
from tests.llm.parts import Records, manager, offline


@tool
def forecast(city: str) -> str:
    """Tell the weather."""
    return f"{city} is warm"


@tool
async def double(number: Annotated[int, Field(ge=0)]) -> int:
    return 2 * number


class Day(BaseModel):
    day: date
    high: float = 20.0


@dataclass
class Point:
    x: float
    y: float


class Pair(msgspec.Struct):
    one: int
    two: int


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is", "as it is"),
        ("cut \ud83d", "cut \ufffd"),
        (None, "null"),
        ([1, 2.5, True], "[1,2.5,true]"),
        (Point(1, math.inf), '{"x":1,"y":"Infinity"}'),
        (Day(day=date(2026, 1, 1)), '{"day":"2026-01-01","high":20.0}'),
        ({"pair": Pair(1, 2), "when": date(2026, 1, 1)}, '{"pair":{"one":1,"two":2},"when":"2026-01-01"}'),
    ],
    ids=lambda value: ascii(value)[:20] if isinstance(value, str | bytes) else None,
)
async def test_a_result_is_text_or_json(result: object, text: str) -> None:
    @tool
    def give() -> object:
        return result

    message = await Toolset([give]).answer(ToolCall("1", "give", "{}"))
    assert (message.text, message.is_error, message.tool_call_id, message.name) == (text, False, "1", "give")


def _failing(error: Exception) -> Toolset:
    @tool
    async def fail() -> None:
        raise error

    @tool
    async def odd() -> object:
        return threading.Lock()

    return Toolset([fail, odd, double])


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (ToolCall("1", "double", '{"number": -1}'), OSError(), "number: Input should be greater than or equal to 0"),
        (ToolCall("1", "double", "{"), OSError(), "do not fit"),
        (ToolCall("1", "nothing", "{}"), OSError(), "There is no tool 'nothing'. There are: fail, odd, double"),
        (ToolCall("1", "fail", "{}"), ValueError("no such city"), "The tool 'fail' refused: no such city"),
        (ToolCall("1", "fail", "{}"), ToolError("Come back later"), "Come back later."),
        (ToolCall("1", "fail", "{}"), BadRequestError("of another model"), "The tool 'fail' failed"),
        (ToolCall("1", "fail", "{}"), ValueError("api_key=abcdef123456"), "refused: api_key=[redacted]"),
        (ToolCall("1", "odd", "{}"), OSError(), "cannot be written as JSON"),
    ],
)
async def test_a_model_is_told_what_went_wrong(call: ToolCall, error: Exception, told: str) -> None:
    message = await _failing(error).answer(call)
    assert message.is_error
    assert told in message.text


async def test_of_a_bug_the_log_has_the_traceback_and_the_model_nothing(caplog: pytest.LogCaptureFixture) -> None:
    message = await _failing(KeyError("inner detail")).answer(ToolCall("1", "fail", "{}"))
    assert message.text == "The tool 'fail' failed"
    assert "inner detail" in caplog.text


async def test_the_end_of_the_run_is_no_answer() -> None:
    calls = [ToolCall("1", "double", '{"number": 1}'), ToolCall("2", "fail", "{}")]
    with pytest.raises(ResponseClosedError):
        await _failing(ResponseClosedError("over")).answer_all(calls)


async def test_a_picture_is_shown_to_the_model_and_not_told_as_text() -> None:
    picture = ImagePart(data=b"GIF89a\x01")

    @tool
    def draw(how: str) -> object:
        return {"alone": picture, "titled": [TextPart("A cat"), picture], "odd": [picture, 1]}[how]

    tools, records = Toolset([draw]), Records()
    token = current_manager.set(manager(offline(), hooks=[records]))
    shown = [await tools.answer(ToolCall("1", "draw", f'{{"how": "{how}"}}')) for how in ("alone", "titled", "odd")]
    current_manager.reset(token)
    assert [message.content for message in shown[:2]] == [(picture,), (TextPart("A cat"), picture)]
    assert (shown[0].role, shown[0].tool_call_id, shown[0].name) == ("tool", "1", "draw")
    assert shown[2].text.startswith('[{"type":"image"')
    assert records.records[1].data["result"] == "<ImagePart of 7 bytes>"


async def test_calls_go_on_together_within_a_bound_and_are_answered_in_order() -> None:
    active, most, gate = 0, 0, asyncio.Event()

    @tool
    async def wait(number: int) -> int:
        nonlocal active, most
        active, most = active + 1, max(most, active + 1)
        if active == 3:
            gate.set()
        await gate.wait()
        active -= 1
        return number

    tools = Toolset([wait], parallel=3)
    messages = await tools.answer_all([ToolCall(str(each), "wait", f'{{"number": {each}}}') for each in range(9)])
    assert [message.text for message in messages] == [str(each) for each in range(9)]
    assert most == 3
    assert await tools.answer_all([]) == ()


async def test_cancelling_ends_every_call() -> None:
    begun, ended = asyncio.Semaphore(0), 0

    @tool
    async def wait() -> None:
        nonlocal ended
        begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    task = asyncio.create_task(Toolset([wait]).answer_all([ToolCall("1", "wait")] * 4))
    for _ in range(4):
        await begun.acquire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == 4


def test_a_toolset_knows_its_tools_by_name() -> None:
    tools = Toolset([forecast, double])
    assert (list(tools), len(tools), "double" in tools, "x" in tools) == ([forecast, double], 2, True, False)
    assert tools["double"] is double
    with pytest.raises(ToolDefinitionError, match="Two tools are called 'double'"):
        Toolset([double, forecast, tool(forecast, name="double")])
    assert isinstance(tools["forecast"], SyncTool)
    for parallel in (0, "x", True):
        with pytest.raises(ToolDefinitionError, match="`parallel` cannot be"):
            Toolset([double], parallel=parallel)  # type: ignore[arg-type]
