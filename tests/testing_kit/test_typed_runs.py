"""Tools, outputs and typed events of an agent, as its author's tests see them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest
from pydantic import BaseModel

from sentient_cli import Query, Response, Session, llm, tool
from sentient_cli.llm.offline import parse_script
from sentient_cli.testing import AgentRun, run_agent, scripted_llm


class City(BaseModel):
    name: str
    people: int


@dataclass
class Wrong:
    other: int


@tool
def population(city: str) -> City:
    """Look up how many people live in a city."""
    return City(name=city, people=len(city))


@tool(timeout=0.01)
async def guess(city: str) -> int:
    """Guess how many people live in a city."""
    raise ValueError(f"{city} has a password=hunter2hunter2")


SCRIPT = parse_script(
    r"""
[[rule]]
match = "people"
tool_calls = [
    { name = "population", arguments = { city = "Rome" } },
    { name = "guess", arguments = { city = "Oslo" } },
    { name = "guess", arguments = "{" },
]
[[rule]]
on = "tool"
answer = '{"name": "Rome", "people": 4}'
"""
)


async def assist(session: Session, query: Query, response: Response) -> None:
    answer = await llm.run_tools(query.prompt, [population, guess], output=City)
    await response.json("CITY", answer.output.model_dump())
    await response.stream_llm("ANSWER", llm.stream_tools(query.prompt, [population, guess]))


def _entries(run: AgentRun, kind: str) -> list[dict[str, object]]:
    return [msgspec.json.decode(entry.data, type=dict[str, object]) for entry in run.entries if entry.type == kind]


async def test_events_have_types() -> None:
    run = (await run_agent(assist, "people?", llm=scripted_llm(SCRIPT))).raise_for_outcome()
    assert run.json("CITY", City) == City(name="Rome", people=4)
    assert run.json("CITY") == {"name": "Rome", "people": 4}
    assert run.text("ANSWER") == '{"name": "Rome", "people": 4}'
    with pytest.raises(ValueError, match="validation error"):
        run.json("CITY", Wrong)
    with pytest.raises(LookupError):
        run.json("OTHER", City)


async def test_calls_of_tools_are_in_the_log() -> None:
    run = (await run_agent(assist, "people?", llm=scripted_llm(SCRIPT))).raise_for_outcome()
    calls, results = _entries(run, "tool.call"), _entries(run, "tool.result")
    assert [(call["name"], call["arguments"]) for call in calls[:3]] == [
        ("population", {"city": "Rome"}),
        ("guess", {"city": "Oslo"}),
        ("guess", "{"),
    ]
    parents = {request["parent"] for request in _entries(run, "llm.request")}
    assert {call["parent"] for call in calls} == parents
    assert len(parents) == 2
    ends = {str(result["call"]): result for result in results[:3]}
    assert ends["call_1"]["result"] == {"name": "Rome", "people": 4}
    assert [ends[call]["outcome"] for call in ("call_1", "call_2", "call_3")] == ["done", "error", "error"]
    assert b"hunter2hunter2" not in b"".join(entry.data for entry in run.entries)


async def test_a_tool_that_is_called_by_hand_is_in_the_log_as_well() -> None:
    async def by_hand(session: Session, query: Query, response: Response) -> None:
        city = await population.call({"city": query.prompt})
        await response.respond("ANSWER", city.name)

    run = await run_agent(by_hand, "Rome")
    assert [entry.type for entry in run.entries][1:3] == ["tool.call", "tool.result"]
    assert run.text() == "Rome"
