"""Typed functions as tools: their schemas, the check of arguments, and every way in which a call can end."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import math
import threading
from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from sentient_cli.errors import (
    ToolArgumentsError,
    ToolDefinitionError,
    ToolError,
    ToolTimeoutError,
)
from sentient_cli.llm import current_manager, tool
from sentient_cli.llm.types import JsonValue
from tests.llm.parts import Records, manager, offline


class Day(BaseModel):
    day: date
    high: float = 20.0


@tool
def forecast(city: str, days: list[Day], unit: Literal["C", "F"] = "C", *, title: str | None = None) -> str:
    """Tell the weather.

    For one city only.

    Args:
        city: Its name,
            in English.
        days: Which days.

    Returns:
        A sentence.
    """
    return f"{city}: {len(days)} days in {unit}, {title}"


@tool
async def double(number: Annotated[int, Field(ge=0, description="Not negative.")]) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_the_schema_is_that_of_the_hints_and_the_docstring() -> None:
    spec = forecast.spec
    assert (spec.name, spec.description) == ("forecast", "Tell the weather.\n\nFor one city only.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Its name, in English."},
            "days": {"type": "array", "items": {"$ref": "#/$defs/Day"}, "description": "Which days."},
            "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
            "title": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["city", "days"],
        "additionalProperties": False,
        "$defs": {
            "Day": {
                "type": "object",
                "properties": {
                    "day": {"type": "string", "format": "date"},
                    "high": {"type": "number", "default": 20.0},
                },
                "required": ["day"],
            }
        },
    }
    number: dict[str, JsonValue] = {"type": "integer", "minimum": 0, "description": "Not negative."}
    assert double.spec.parameters["properties"] == {"number": number}
    assert spec is forecast.spec


def test_a_tool_is_still_its_function() -> None:
    assert forecast("Rome", [], title="x") == "Rome: 0 days in C, x"
    assert forecast.__name__ == "forecast"
    assert (forecast.__doc__ or "").startswith("Tell the weather.")
    assert repr(forecast) == "<tool forecast>"


async def test_an_async_tool_is_still_its_function() -> None:
    assert await double(4) == 8


@pytest.mark.parametrize("encoded", [True, False])
async def test_arguments_become_values_of_their_types(encoded: bool) -> None:
    arguments = {"city": "Rome", "days": [{"day": "2026-01-01"}], "unit": "F"}
    data = msgspec.json.encode(arguments) if encoded else arguments
    assert await forecast.call(data) == "Rome: 1 days in F, None"
    assert await double.call('{"number": "21"}') == 42


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ("{}", {"city", "days"}),
        (
            '{"city": 1, "days": [{"day": "x"}, {"day": "2026-01-01", "high": "hot"}]}',
            {"city", "days[0].day", "days[1].high"},
        ),
        ('{"city": "", "days": [], "unit": "K", "when": 1}', {"unit", "when"}),
        ("[]", {""}),
        ('["Rome", []]', {""}),
        ("null", {"city", "days"}),
        ("{", {""}),
        ("", {"city", "days"}),
        ("\ud800", {""}),
        (b"\xff", {""}),
        ("[" * 100_000, {""}),
    ],
    ids=lambda value: ascii(value)[:20] if isinstance(value, str | bytes) else None,
)
async def test_arguments_that_do_not_fit_are_named_by_their_paths(arguments: str | bytes, paths: set[str]) -> None:
    with pytest.raises(ToolArgumentsError, match="arguments of the tool 'forecast' do not fit") as caught:
        await forecast.call(arguments)
    assert caught.value.faults.keys() == paths
    assert all(caught.value.faults.values())


@pytest.mark.parametrize("nothing", ["", " ", "{}", "null", "\n null "])
async def test_no_arguments_are_written_in_several_ways(nothing: str) -> None:
    @tool
    def now() -> str:
        return "now"

    assert await now.call(nothing) == "now"


async def test_of_very_many_faults_the_first_are_told() -> None:
    with pytest.raises(ToolArgumentsError) as caught:
        await forecast.call({"city": "Rome", "days": [1] * 10_000})
    assert len(caught.value.faults) == 21


@given(st.binary(max_size=40) | st.text(max_size=40) | st.dictionaries(st.text(max_size=4), st.integers(), max_size=3))
async def test_whatever_a_model_writes_is_a_result_or_a_typed_error(arguments: bytes | str | dict[str, object]) -> None:
    faults: dict[str, str] = {}
    try:
        result = await double.call(arguments)
    except ToolArgumentsError as error:
        faults, result = error.faults, -1
    assert (result >= 0) is not bool(faults)


def _as_written(text: str) -> Callable[..., str]:
    """A function that no type checker lets pass."""
    names: dict[str, Callable[..., str]] = {}
    exec(f"from __future__ import annotations\ndef unsound({text}) -> str: ...", names)  # noqa: S102
    return names["unsound"]


def _many(*cities: str) -> str:
    return " ".join(cities)


def _any_more(**cities: str) -> str:
    return " ".join(cities)


def _by_place(city: str, /) -> str:
    return city


def _odd(lock: threading.Event) -> str:
    return str(lock)


class Atlas:
    """Knows the size of things."""

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def area(self, city: str) -> int:
        """Tell an area."""
        return self.scale * len(city)

    async def __call__(self, city: str) -> int:
        """Look up a city."""
        return self.area(city)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (_as_written("city"), "'city' has no type"),
        (_as_written("city: Nowhere"), "'Nowhere' is not defined"),
        (_many, "'cities' cannot be given by its name"),
        (_any_more, "'cities' cannot be given by its name"),
        (_by_place, "'city' cannot be given by its name"),
        (_odd, "Event"),
        (Atlas.area, "'self' has no type"),
    ],
)
def test_a_function_that_no_model_could_call_is_refused_where_it_is_offered(
    function: Callable[..., str | int], why: str
) -> None:
    made = tool(function)
    with pytest.raises(ToolDefinitionError, match="cannot be a tool") as caught:
        _ = made.spec
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("name", "timeout"), [("no spaces", None), ("", None), ("x" * 65, None), ("x", 0), ("x", math.nan), ("x", "5")]
)
def test_what_no_model_takes_is_refused_at_once(name: str, timeout: float | None) -> None:
    with pytest.raises(ToolDefinitionError):
        tool(name=name, timeout=timeout)(_by_place)
    with pytest.raises(ToolDefinitionError, match="called '<lambda>'"):
        tool(lambda: 1)
    with pytest.raises(ToolDefinitionError, match="called 5"):
        tool(name=5)(_by_place)  # type: ignore[call-overload]
    with pytest.raises(ToolDefinitionError, match="made of a function, not str"):
        tool("forecast")  # type: ignore[call-overload]


def test_a_default_that_json_cannot_hold_is_left_out_without_a_word() -> None:
    missing = object()

    @tool
    def look_up(city: str = missing) -> bool:  # type: ignore[assignment]
        return city is missing

    assert look_up.spec.parameters["properties"] == {"city": {"type": "string"}}
    assert asyncio.run(look_up.call({}))


async def test_methods_partials_and_objects_can_be_tools() -> None:
    atlas = Atlas(3)
    area = tool(atlas.area)
    assert (area.name, area.description, await area.call('{"city": "Rome"}')) == ("area", "Tell an area.", 12)
    whole = tool(atlas, name="atlas", description="Mine.")
    assert (whole.spec.name, whole.spec.description) == ("atlas", "Mine.")
    assert await whole.call({"city": "Rome"}) == 12
    part = tool(functools.partial(atlas.area, city="Rome"), name="rome")
    assert part.spec.parameters["properties"] == {"city": {"type": "string", "default": "Rome"}}
    assert await part.call("") == 12


async def test_a_decorator_that_hides_a_coroutine_does_no_harm() -> None:
    @functools.wraps(double)
    def hidden(number: int) -> object:
        return double(number)

    assert await tool(hidden).call({"number": 2}) == 4


async def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    @tool
    def ping() -> object:
        """Ping."""

    assert ping.spec.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert await ping.call("{}") is None


async def test_a_plain_function_runs_in_a_thread_that_knows_the_caller() -> None:
    who = contextvars.ContextVar("who", default="nobody")
    who.set("caller")

    @tool
    def look() -> tuple[str, bool, str]:
        current = threading.current_thread()
        return who.get(), current is threading.main_thread(), current.name

    assert await look.call("{}") == ("caller", False, "look")


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (KeyError("x"), KeyError),
        (TimeoutError(), TimeoutError),
        (StopIteration(), RuntimeError),
        (SystemExit(3), ToolError),
        (asyncio.CancelledError(), ToolError),
    ],
)
async def test_what_a_tool_raises_reaches_the_caller_and_only_that(error: BaseException, seen: type[Exception]) -> None:
    @tool
    async def inside() -> None:
        _raise(error)

    @tool(name="beside")
    def beside() -> None:
        _raise(error)

    for one in (inside, beside):
        with pytest.raises(seen):
            await one.call("{}")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()])
async def test_what_a_plain_tool_raises_in_its_thread_ends_nothing_else(error: BaseException) -> None:
    @tool
    def beside() -> None:
        raise error

    with pytest.raises(RuntimeError, match=type(error).__name__):
        await beside.call("{}")


async def test_a_tool_that_takes_too_long_is_ended_with_a_typed_error() -> None:
    ended, release = asyncio.Event(), threading.Event()

    @tool(timeout=0.01)
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    @tool(timeout=0.01)
    def stuck() -> None:
        release.wait()

    with pytest.raises(ToolTimeoutError, match="'slow' took longer than"):
        await slow.call("{}")
    assert ended.is_set()
    with pytest.raises(ToolTimeoutError):
        await stuck.call("{}")
    release.set()


async def test_a_call_that_is_cancelled_ends_at_once() -> None:
    begun, release = asyncio.Event(), threading.Event()
    loop, records = asyncio.get_running_loop(), Records()

    @tool
    def stuck() -> None:
        loop.call_soon_threadsafe(begun.set)
        release.wait()

    token = current_manager.set(manager(offline(), hooks=[records]))
    task = asyncio.create_task(stuck.call("{}"))
    current_manager.reset(token)
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert records.kinds == ["tool.call", "tool.result"]
    assert records.last()["outcome"] == "cancelled"


async def test_what_is_called_within_a_manager_is_told_to_its_hooks() -> None:
    records = Records()
    token = current_manager.set(manager(offline(), hooks=[records]))
    await double.call('{"number": 2}', call="call_7", parent="above")
    await forecast.call({"city": "Rome", "days": [Day(day=date(2026, 1, 1))]})
    with pytest.raises(ToolArgumentsError):
        await double.call("{no")
    with pytest.raises(ZeroDivisionError):
        await tool(lambda: 1 // 0, name="broken").call("{}")
    current_manager.reset(token)
    assert [(record.kind, record.data["name"]) for record in records.records] == [
        (kind, name) for name in ("double", "forecast", "double", "broken") for kind in ("tool.call", "tool.result")
    ]
    first, second = records.records[:2]
    assert (first.call, first.parent, first.data) == ("call_7", "above", {"name": "double", "arguments": {"number": 2}})
    assert (second.call, second.data) == (
        "call_7",
        {"name": "double", "outcome": "done", "duration_ns": 0, "result": 4},
    )
    assert records.records[2].data["arguments"] == {"city": "Rome", "days": [{"day": "2026-01-01", "high": 20.0}]}
    assert records.records[4].data["arguments"] == "{no"
    ends = [record.data["error"] for record in records.records if record.data.get("outcome") == "error"]
    assert [end["code"] for end in ends if isinstance(end, dict)] == ["tool-arguments", "ZeroDivisionError"]
