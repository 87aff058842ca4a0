"""An agent of typed tools, typed outputs and a typed state."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from sentient_cli import Query, Response, Session, StateKey, agent, llm, tool


class City(BaseModel):
    name: str
    degrees: int


class Asked(BaseModel):
    cities: list[str] = []


ASKED = StateKey("asked", Asked)


@tool(timeout=5)
def forecast(city: str) -> City:
    """Look up how warm it is."""
    return City(name=city, degrees=len(city))


@tool
async def convert(degrees: int) -> float:
    """Convert to Fahrenheit."""
    await asyncio.sleep(0)
    return degrees * 1.8 + 32


@agent
async def typed(session: Session, query: Query, response: Response) -> None:
    answer = await llm.run_tools(query.prompt, [forecast, convert], output=City)
    asked = await session.state.change(ASKED, lambda asked: Asked(cities=[*asked.cities, answer.output.name]))
    await response.json("CITY", answer.output.model_dump())
    await response.json("ASKED", asked.model_dump())
