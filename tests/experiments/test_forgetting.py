"""What is known of experiments that are gone is forgotten after a while, and of no others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from sentient_cli import Query, Response, Session
from sentient_cli.clock import SystemClock
from sentient_cli.experiments.book import OutcomeBook, read_outcomes
from sentient_cli.experiments.forgetting import forget_removed
from sentient_cli.experiments.outcomes import LateScore
from sentient_cli.experiments.standing import Change, change_standing, read_standing, rolled_back
from sentient_cli.store.open import open_stores
from sentient_cli.store.ports import StateStore
from tests.experiments.trial_kit import outcome, trying
from tests.support.served import serve
from tests.support.wire import ask_all

_URLS = ("memory", "sqlite:runs.db", "file:runs")


async def _fill(store: StateStore, name: str, *numbers: int) -> None:
    """Outcomes with these numbers, which are their times too, a score of each, and a standing."""
    book = OutcomeBook(store, f"writer-{name}")
    for number in numbers:
        book.add(name, outcome("warm", number))
        book.add_score(LateScore(f"{number:x}", number, "helpful", 1.0))
    await book.flush()
    change = Change("rollback", max(numbers), "ann", "dear")
    await change_standing(store, name, "a1", lambda before: rolled_back(before, change))


async def _keys(store: StateStore) -> Sequence[str]:
    return [row.key.removeprefix("experiments/") for row in await store.kept("experiments/")]


@pytest.mark.parametrize("url", _URLS)
async def test_only_what_is_gone_and_old_is_forgotten(url: str) -> None:
    stores = open_stores(url)
    await stores.ready()
    store = stores.state
    await _fill(store, "old", 1, 2)
    await _fill(store, "fresh", 3, 100)
    await _fill(store, "kept", 4)
    assert await forget_removed(store, ["kept"], 50) == ["old"]
    assert await forget_removed(store, ["kept"], 50) == []
    assert (await read_standing(store, "old"))[1] == 0
    assert [each.run for each in await read_outcomes(store, "fresh")] == ["3", "64"]
    assert [each.scores for each in await read_outcomes(store, "kept")] == [{"helpful": 1.0}]
    assert not [key for key in await _keys(store) if "old" in key]
    assert await forget_removed(store, [], 101) == ["fresh", "kept"]
    assert await _keys(store) == []
    await stores.aclose()


async def test_rows_of_earlier_releases_have_their_times_inside() -> None:
    stores = open_stores("memory")
    store = stores.state
    for number, at in ((1, 5), (2, 500)):
        rows = msgspec.json.encode([outcome("warm", at)])
        await store.put(f"experiments/outcomes/e{number}/w-000000", rows, expected=0)
    await store.put("experiments/outcomes/broken/w-000000", b"\xff", expected=0)
    await store.put(
        "experiments/standing/alone", b'{"history":[{"kind":"stop","at":7,"by":"ann","why":"dear"}]}', expected=0
    )
    assert set(await forget_removed(store, [], 50)) == {"e1", "broken", "alone"}
    assert await _keys(store) == ["outcomes/e2/w-000000"]


async def _function(_session: Session, _query: Query, response: Response) -> None:
    await response.text_block("ANSWER", "hello")


async def test_a_host_forgets_what_its_settings_do_not_name() -> None:
    stores = open_stores("memory")
    await _fill(stores.state, "old", 1)
    await _fill(stores.state, "disabled", 1)
    async with trying(_function, stores=stores) as host:
        await host.experimenting.prune(1.0)  # nobody has said which there are
        assert "standing/old" in await _keys(stores.state)
        host.experimenting.take([], ["disabled"])
        await host.experimenting.prune(2 * SystemClock().now_ns() / 1e9)  # all of it is younger than that
        assert "standing/old" in await _keys(stores.state)
        await host.experimenting.prune(1.0)
        assert [key for key in await _keys(stores.state) if "standing" in key] == ["standing/disabled"]


@pytest.mark.story("5.5")
async def test_a_server_forgets_an_experiment_that_was_taken_out(tmp_path: Path) -> None:
    experiment = "[profile.night.experiments.tone.variants.a]\n[profile.night.experiments.tone.variants.b]\n"
    (tmp_path / "sentient.toml").write_text(f"[store]\nurl = 'sqlite:runs.db'\n{experiment}")
    stores = open_stores(f"sqlite:{tmp_path}/runs.db")
    await stores.ready()
    await _fill(stores.state, "gone", 1)
    await _fill(stores.state, "tone", 2)  # that of a profile which is not chosen today
    with serve(tmp_path) as server:
        await asyncio.to_thread(ask_all, server.address, "echo")
        await asyncio.to_thread(server.wait_line, "The experiment 'gone' is in no settings any more")
    left = await _keys(stores.state)
    assert ("standing/tone" in left, [key for key in left if "gone" in key]) == (True, [])
    await stores.aclose()
