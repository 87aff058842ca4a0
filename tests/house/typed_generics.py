"""A user's program, for the type checkers: tools, outputs and states keep the types that they were given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, assert_type

from pydantic import BaseModel

from sentient_cli import JsonValue, Query, Response, Session, StateKey, Tool, llm, tool
from sentient_cli.testing import AgentRun


class City(BaseModel):
    name: str
    people: int


@dataclass(frozen=True)
class Cart:
    items: tuple[str, ...] = ()


class Source(TypedDict):
    title: str


@tool
def population(city: str, *, year: int = 2026) -> City:
    """Look up a city."""
    return City(name=city, people=year)


@tool(name="forecast", timeout=5)
async def weather(city: str, days: int = 1) -> list[float]:
    """Tell the highest temperatures."""
    return [len(city) / each for each in range(1, days + 1)]


class Atlas:
    def __init__(self, scale: float) -> None:
        self._scale = scale

    def area(self, city: str) -> float:
        return len(city) * self._scale

    async def distance(self, there: str) -> float:
        return self.area(there)


CART = StateKey("cart", Cart)
VISITS = StateKey("visits", int)
TAGS = StateKey("tags", list[str], lambda: ["new"])


async def tools() -> None:
    assert_type(population("Rome"), City)
    assert_type(population("Rome", year=1), City)
    assert_type(await population.call('{"city": "Rome"}'), City)
    assert_type(await weather("Rome", 2), list[float])
    assert_type(await asyncio.create_task(weather("Rome")), list[float])
    assert_type(await weather.call({"city": "Rome"}), list[float])
    area, distance = tool(Atlas(2).area), tool(Atlas(2).distance, name="distance")
    assert_type(area("Rome"), float)
    assert_type(await distance.call(b'{"there": "Rome"}'), float)
    some: Sequence[Tool[..., object]] = [population, weather, area]
    assert_type(llm.Toolset(some)["area"], Tool[..., object])
    numbers: Sequence[Tool[..., float]] = [area, distance]
    assert_type(await numbers[0].call("{}"), float)
    assert_type(await llm.run_tools("How many?", some), llm.Completion)
    assert_type((await llm.run_tools("How many?", some, output=City)).output, City)
    assert_type(llm.stream_tools("How many?", [population]), llm.ToolStream)
    assert_type(llm.stream("How many?", tools=[population, llm.ToolSpec("other")]), llm.LLMStream)


async def outputs(manager: llm.LLMManager) -> None:
    assert_type(await llm.generate("Rome"), llm.Completion)
    answer = await llm.generate("Rome", output=City)
    assert_type(answer, llm.TypedCompletion[City])
    assert_type(answer.output.people, int)
    assert_type((await llm.generate("Rome", output=list[Source])).output, list[Source])
    assert_type((await manager.generate("Rome", output=Cart, output_retries=0)).output, Cart)


async def assist(session: Session, query: Query, response: Response) -> None:
    assert_type(await session.state.get(CART), Cart)
    assert_type(await session.state.change(VISITS, lambda visits: visits + 1), int)
    assert_type(await session.state.get(TAGS), list[str])
    await session.state.set(CART, Cart((query.prompt,)))
    await response.stream_llm("ANSWER", llm.stream_tools(query.prompt, [weather]))


def tests(run: AgentRun) -> None:
    assert_type(run.json("CITY", City), City)
    assert_type(run.json("CITY"), dict[str, JsonValue])
    assert_type(run.state(CART), Cart)
