"""Agents that ask a model, over two sockets: that of the client, and that of the provider."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.llm_command_kit import chat_answer
from tests.support.llm_server import LLMServer, as_json
from tests.support.served import Served, serve
from tests.support.wire import (
    ACTIVITY_ID,
    QUERY_ID,
    SOURCE,
    Wire,
    as_object,
    ask,
    ask_all,
    dig,
    fetch_json,
    wait_finished,
)

_AGENT = """
from sentient_cli import agent, llm

@agent
async def asker(session, query, response):
    stream = llm.stream(query.prompt)
    await (response.stream_llm(stream) if query.prompt == "Greet" else response.stream_llm("ANSWER", stream))
"""
_SETTINGS = """
[llm]
model = "mine:gpt-4o-mini"
[llm.retry]
attempts = 2
base = 0
[llm.providers.mine]
kind = "compatible"
base_url = "{url}/v1"
"""


@contextmanager
def _asking(models: LLMServer, place: Path) -> Generator[Served]:
    (place / "asker.py").write_text(_AGENT)
    (place / "sentient.toml").write_text(_SETTINGS.format(url=models.url))
    env = {"SENTIENT_SERVER_DRAIN_DELAY": "0", "SENTIENT_SERVER_DISCONNECT_GRACE": "0"}
    with serve(place, "--store", "file:runs", agent=place / "asker.py", env=env) as server:
        yield server


@pytest.fixture(name="models", scope="module")
def _models() -> Iterator[LLMServer]:
    with LLMServer(chat_answer("Hello")) as models:
        yield models


@pytest.fixture(name="asking", scope="module")
def _served(models: LLMServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with _asking(models, tmp_path_factory.mktemp("asking")) as server:
        yield server


@pytest.mark.story("A3")
def test_each_piece_becomes_a_chunk_that_says_where_it_is_from(asking: Served, models: LLMServer) -> None:
    models.answer(chat_answer("Hel", "lo", "!"))
    *chunks, done = [frame.json for frame in ask_all(asking.address, "Greet")]
    assert done["content_type"] == "atomic.done"
    assert {(chunk["content_type"], chunk["source"]) for chunk in chunks} == {("chunked.text", SOURCE)}
    assert {chunk["event_name"] for chunk in chunks} == {"text_chunk"}
    assert [chunk["content"] for chunk in chunks] == ["Hel", "lo", "!", " "]
    assert [chunk["is_complete"] for chunk in chunks] == [False, False, False, True]
    told = [dig(chunk, "metadata") for chunk in chunks]
    assert [dig(each, "is_first_chunk") for each in told] == [True, False, False, False]
    for each in map(as_object, told):
        assert (each["provider"], each["model"]) == ("mine", "gpt-4o-mini")
        assert {type(value) for value in each.values()} <= {str, int, bool}
        assert ("finish_reason" in each) == (each == told[-1])
    assert (dig(told[-1], "tokens"), dig(told[-1], "finish_reason")) == (5, "stop")


@pytest.mark.story("A3")
def test_a_provider_that_fails_gives_an_error_and_then_the_end(asking: Served, models: LLMServer) -> None:
    models.answer(as_json({"error": {"message": "No"}}, 400))
    kinds = [str(frame.json["content_type"]) for frame in ask_all(asking.address, "Greet")]
    assert kinds[-2:] == ["atomic.error", "atomic.done"]
    assert kinds.count("atomic.error") == kinds.count("atomic.done") == 1


@pytest.mark.story("14.8")
def test_cancelling_a_run_frees_the_connection_to_the_provider(asking: Served, models: LLMServer) -> None:
    models.answer(chat_answer("Hel", "lo", how="stall"))
    with Wire(asking.address) as wire:
        answer = ask(wire, "Greet")
        frames = answer.frames()
        assert next(frames).content == "Hel"
        models.wait_open(1)
        assert fetch_json(asking.address, f"/runs/{answer.run_id}/cancel", "POST")[0] == 202
        models.wait_open(0)
        assert [frame.event for frame in frames][-1] == "done"
    assert wait_finished(asking.address, answer.run_id)["outcome"] == "cancelled"


@pytest.mark.story("A5", "4.5")
def test_log_and_ledger_know_the_session_the_query_and_each_attempt(tmp_path: Path) -> None:
    with (
        LLMServer(as_json({"error": {"message": "Down"}}, 503), chat_answer("Hello")) as models,
        _asking(models, tmp_path) as server,
        Wire(server.address) as wire,
    ):
        answer = ask(wire, "Greet")
        assert list(answer.frames())[-1].event == "done"
    (file,) = [path for path in tmp_path.rglob("*.jsonl") if answer.run_id in path.name]
    entries = [json.loads(line) for line in file.read_text("utf-8").splitlines()][1:]
    told = [entry for entry in entries if entry["type"].startswith("llm.")]
    assert [entry["type"] for entry in told] == [
        *("llm.request", "llm.attempt", "llm.retry"),
        *("llm.attempt", "llm.chunks", "llm.usage", "llm.finished"),
    ]
    assert len({entry["data"]["call"] for entry in told}) == 1
    assert told[2]["data"]["error"]["code"] == "provider-server"
    assert all(f'"{known}"' in json.dumps(entries[0]) for known in (QUERY_ID, ACTIVITY_ID))
    (ledger,) = tmp_path.rglob("usage.db")
    with closing(sqlite3.connect(ledger)) as database:
        rows: list[tuple[object, ...]] = database.execute(
            "SELECT attempt, final, outcome, error, session, query, run, agent FROM usage ORDER BY attempt"
        ).fetchall()
    whose = (ACTIVITY_ID, QUERY_ID, answer.run_id, "asker")
    assert rows == [(1, 0, "failed", "provider-server", *whose), (2, 1, "done", None, *whose)]
