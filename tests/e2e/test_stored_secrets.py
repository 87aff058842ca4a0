"""What an agent or a model says in pieces is stored as masked as if it had been said at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served import serve
from tests.support.wire import Wire, ask, ask_all, dig

pytestmark = pytest.mark.story("14.8")

_KEY = "supersecretvalue99"
_ENV = {"MY_API_KEY": _KEY, "SENTIENT_SERVER_DRAIN_DELAY": "0"}
_AGENT = """
from sentient_cli import llm, agent
KEY = "supersecretvalue99"

@agent
async def teller(session, query, response):
    how, _, rest = query.prompt.partition(" ")
    if how == "chars":
        async with response.stream("A") as one, response.stream("B") as two:
            for number, char in enumerate(f"It is {KEY}, and sk-{'a1' * 12}."):
                await one.write(char)
                await two.write("b" if number else "The ")
                await response.text_block("BETWEEN", str(number))
    elif how == "metadata":
        stream = response.stream("A")
        await stream.write("It is " + KEY[:9], metadata={"n": 1})
        await stream.write(KEY[9:] + "!", metadata={"n": 2})
    elif how == "held":
        await response.stream("A").write("It is " + KEY[:9])
        await response.text_block("B", "then")
        import asyncio
        await asyncio.Event().wait()
    else:
        await response.stream_llm("A", llm.stream(rest))
"""


def _entries(directory: Path) -> list[dict[str, object]]:
    files = list(directory.glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    found: list[dict[str, object]] = [json.loads(line) for line in lines]
    return [entry for entry in found if "seq" in entry]


def _streamed(entries: list[dict[str, object]], name: str) -> str:
    events = [dig(entry, "data") for entry in entries if entry["type"] == "event"]
    return "".join(str(dig(event, "content")) for event in events if dig(event, "event_name") == name)


def _chunks(entries: list[dict[str, object]]) -> Iterator[str]:
    for entry in entries:
        if entry["type"] == "llm.chunks":
            for pair in json.loads(json.dumps(dig(entry, "data", "chunks"))):
                yield pair[1].get("text", "")


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    file = tmp_path / "teller.py"
    file.write_text(_AGENT)
    return file


def test_character_by_character(tmp_path: Path, agent: Path) -> None:
    with serve(tmp_path, "--store", "file:kept", agent=agent, env=_ENV) as server:
        frames = ask_all(server.address, "chars")
    said = "".join(str(frame.content) for frame in frames if frame.event == "A")
    assert said == f"It is {_KEY}, and sk-{'a1' * 12}. "  # the wire is the agent's own
    entries = _entries(tmp_path / "kept")
    assert [entry["seq"] for entry in entries] == list(range(1, len(frames) + 2))
    assert re.fullmatch(r"It is s?u?\[redacted\], and s?k?\[redacted\]\. ", _streamed(entries, "A"))
    assert _streamed(entries, "B").startswith("The bbbb")


def test_chunks_with_metadata(tmp_path: Path, agent: Path) -> None:
    with serve(tmp_path, "--store", "file:kept", agent=agent, env=_ENV) as server:
        ask_all(server.address, "metadata")
    entries = _entries(tmp_path / "kept")
    assert _streamed(entries, "A") == "It is [redacted]! "
    assert [dig(entry, "data", "metadata", "n") for entry in entries[1:3]] == [1, 2]


def test_what_a_model_says(tmp_path: Path, agent: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text(f'[[rule]]\nanswer = "Your key is {_KEY}, keep it."\n')
    with serve(tmp_path, "--store", "file:kept", "--script", script, agent=agent, env=_ENV) as server:
        frames = ask_all(server.address, "model hello")
    assert _KEY in "".join(str(frame.content) for frame in frames if frame.event == "A")
    entries = _entries(tmp_path / "kept")
    assert "".join(_chunks(entries)) == "Your key is [redacted], keep it."
    assert _streamed(entries, "A") == "Your key is [redacted], keep it. "
    assert _KEY not in json.dumps(entries)


@pytest.mark.slow
def test_what_may_be_a_secret_keeps_nothing_from_the_store_for_long(tmp_path: Path, agent: Path) -> None:
    with serve(tmp_path, "--store", "file:kept", agent=agent, env=_ENV) as server, Wire(server.address) as wire:
        frames = ask(wire, "held").frames()
        assert [next(frames).event, next(frames).event] == ["A", "B"]
        kept = tmp_path / "kept"
        while len(entries := _entries(kept)) < 3:
            assert server.process.poll() is None
    assert _streamed(entries, "A") == "It is [redacted]"
    assert _streamed(entries, "B") == "then"
