"""An agent of typed tools, outputs and state, served: from the model's JSON to the client's, over restarts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from sentient_cli.runtime.events import JsonEvent, decode_event
from sentient_cli.store.open import open_stores
from tests.support.served import AGENTS, serve
from tests.support.wire import ask_all, dig, session

_CHAT = session()
_SCRIPT = r"""
fallback = "error"
[[rule]]
match = 'warm is (?P<city>\w+)'
tool_calls = [
    { name = "forecast", arguments = { city = "${city}" } },
    { name = "convert", arguments = '{"degrees": "x"}' },
]
[[rule]]
on = "tool"
match = "degrees: "
answer = '{"name": "Rome"}'
[[rule]]
match = "degrees: Field required"
answer = '{"name": "Rome", "degrees": 4}'
"""


def _settings(folder: Path) -> None:
    (folder / "script.toml").write_text(_SCRIPT)
    (folder / "sentient.toml").write_text(
        '[store]\nurl = "sqlite:runs.db"\n[llm]\nscript = "script.toml"\n[server]\nsession_memory = true\n'
    )


def _asked(port: int) -> list[str]:
    frames = ask_all(("127.0.0.1", port), "How warm is Rome?", _CHAT)
    events = {event.event_name: event for event in map(decode_event, [frame.data for frame in frames])}
    city, asked = events["CITY"], events["ASKED"]
    assert isinstance(city, JsonEvent)
    assert isinstance(asked, JsonEvent)
    assert city.content == {"name": "Rome", "degrees": 4}
    cities = asked.content["cities"]
    assert isinstance(cities, list)
    return [str(each) for each in cities]


@pytest.mark.slow
@pytest.mark.story("19.2")
def test_types_hold_from_the_model_to_the_client_and_over_a_restart(tmp_path: Path) -> None:
    _settings(tmp_path)
    for before in (0, 2):
        with serve(tmp_path, agent=AGENTS / "typed.py") as server:
            assert _asked(server.port) == ["Rome"] * (before + 1)
            assert _asked(server.port) == ["Rome"] * (before + 2)


@pytest.mark.slow
@pytest.mark.story("19.2")
def test_of_what_two_servers_change_at_once_nothing_is_lost(tmp_path: Path) -> None:
    _settings(tmp_path)
    with ExitStack() as stack:
        ports = [stack.enter_context(serve(tmp_path, agent=AGENTS / "typed.py")).port for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(_asked, ports * 6))
    assert sorted(map(len, seen)) == list(range(1, 13))


@pytest.mark.slow
async def test_the_calls_are_in_the_stored_log(tmp_path: Path) -> None:
    _settings(tmp_path)
    with serve(tmp_path, agent=AGENTS / "typed.py") as server:
        _asked(server.port)
    stores = open_stores(f"sqlite:{tmp_path / 'runs.db'}")
    await stores.ready()
    (run_id,) = await stores.events.runs()
    entries = await stores.events.read(run_id)
    await stores.aclose()
    ends = [msgspec.json.decode(entry.data) for entry in entries if entry.type == "tool.result"]
    assert {(dig(end, "name"), dig(end, "outcome")) for end in ends} == {("forecast", "done"), ("convert", "error")}
    assert [dig(end, "error", "code") for end in ends if dig(end, "outcome") == "error"] == ["tool-arguments"]
    assert [entry.type for entry in entries].count("llm.request") == 3
