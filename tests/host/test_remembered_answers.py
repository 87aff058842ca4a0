"""What is remembered of an answer: its events, with the pieces of a text as one."""

from __future__ import annotations

import json

from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.store.open import open_stores
from tests.host.host_kit import CHAT, answer, hosting

_answers: list[str] = []


async def tells(session: Session, query: Query, response: Response) -> None:
    del query
    _answers.extend(turn.answer() for turn in session.interactions)
    async with response.stream("ONE") as one, response.stream("TWO") as two:
        for word in ("a ", "b ", "ü"):
            await one.write(word)
            await two.write(word.upper())
        await response.json("BETWEEN", {"n": 1})
        await one.write(" c")
        await two.write(" C")


async def test_pieces_become_one_and_nothing_else_is_passed() -> None:
    _answers.clear()
    stores = open_stores("memory")
    async with hosting(tells, memory=True, stores=stores) as host:
        await answer(host, "x")
        row = await stores.state.get(f"session/{CHAT}")
        assert row is not None
        (turn,) = json.loads(row.value)
        events = [response["event"] for response in turn["responses"]]
        texts = [(event["event_name"], event["content"]) for event in events if event.get("content") not in (" ", "")]
        await answer(host, "y")
    assert texts[:5] == [
        ("ONE", "a b ü"),
        ("TWO", "A B Ü"),
        ("BETWEEN", {"n": 1}),
        ("ONE", " c"),
        ("TWO", " C"),
    ]
    assert [event["is_complete"] for event in events if event["content_type"] == "chunked.text"][-2:] == [True, True]
    assert [found.split() for found in _answers] == [["a", "b", "ü", "c", "A", "B", "Ü", "C"]]
