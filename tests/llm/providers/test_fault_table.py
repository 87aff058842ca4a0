"""Some rows of the published table of faults, which is run as a whole by a slow test; and calls cancelled anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import TypeVar

import pytest

from tests.llm.providers.fault_table import Fault, described, faults
from tests.llm.providers.faulty import ask, opened, wires, with_another_model
from tests.llm.providers.wires import Wire
from tests.support.llm_server import Answer, LLMServer

T = TypeVar("T")
GOES_ELSEWHERE = [
    ("nobody listens", ""),
    ("the connection is closed", "first"),
    ("the connection is reset", "middle"),
    ("the answer ends early, in good order", "last"),
    ("malformed JSON", "middle"),
    ("an error in band (overloaded)", "middle"),
    ("a packed answer is cut", "middle"),
    ("401", ""),
    ("503", ""),
    ("429, in seconds", ""),
]
STAYS = [("400", "", "`bad-request`"), ("the answer is filtered", "", "the text so far, and the reason")]
ROWS = {(row.name, row.place): row for row in faults()}


@wires
@pytest.mark.story("4.3", "E4.1")
async def test_another_model_takes_over_whoever_failed(wire: Wire) -> None:
    async with with_another_model():
        for name, place in GOES_ELSEWHERE:
            assert described(await ROWS[name, place].run(wire)) == "the whole answer", name
        for name, place, said in STAYS:
            assert described(await ROWS[name, place].run(wire)).startswith(said)


@wires
@pytest.mark.story("4.3")
async def test_what_stands_in_no_other_test(wire: Wire) -> None:
    said = {
        "429, in milliseconds": "`rate-limit`, again after 1.5 s",
        "429, a date in an hour": "`rate-limit`, again after 3600 s",
        "429, no number and no date": "`rate-limit`, again",
        "no usage is told": "the whole answer",
        "arguments of a tool that are no JSON, then others": "2 calls, each as the model wrote it",
    }
    rows: list[Fault] = [ROWS[name, ""] for name in said]
    assert [described(await row.run(wire)) for row in rows] == [*said.values()]


class _Cancelled(Coroutine[object, object, T]):
    """Work whose task is cancelled where it waits for the so many-th time."""

    def __init__(self, work: Coroutine[object, object, T], at: int) -> None:
        self._work = work
        self._left = at

    def __await__(self) -> Generator[object, object, T]:
        return self  # type: ignore[return-value]

    def send(self, value: object) -> object:
        return self._waits(self._work.send(value))

    def throw(self, *error: object) -> object:
        return self._waits(self._work.throw(*error))  # type: ignore[call-overload]

    def close(self) -> None:
        self._work.close()

    def _waits(self, awaited: object) -> object:
        if self._left == 0:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        self._left -= 1
        return awaited


@wires
@pytest.mark.story("4.3")
async def test_a_call_is_cancelled_at_each_of_its_awaits_and_leaves_nothing(wire: Wire) -> None:
    at = 0
    with LLMServer(Answer(wire.events, pace=0.001)) as server:
        while True:
            async with opened(wire, server.url) as provider:
                call = asyncio.create_task(_Cancelled(ask(provider, wire), at))
                await asyncio.wait([call])
                assert provider.metrics().active == provider.metrics().errors == 0
            await asyncio.to_thread(server.wait_open, 0)
            if not call.cancelled():
                assert call.result().error is None
                break
            at += 1
    assert at > 1
