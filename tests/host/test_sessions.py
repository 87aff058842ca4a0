"""Sessions: what the client sends wins; else what was kept, within limits, whoever else writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from sentient_cli.clock import SystemClock, SystemIds
from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.host import HostLimits
from sentient_cli.host.retention import KeepLimits
from sentient_cli.host.sessions import SessionMemory
from sentient_cli.redact import redactor
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.runtime.state import StateKey
from sentient_cli.store.memory import MemoryEventLog, MemoryStateStore
from sentient_cli.store.open import Stores, open_stores
from sentient_cli.store.ports import KeptRow, Row
from tests.host.host_kit import CHAT, answer, hosting, turn

SECRET = "swordfish-of-sessions-42"
_seen: list[list[tuple[str, str]]] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    _seen.clear()


async def remember(session: Session, query: Query, response: Response) -> None:
    _seen.append([(item.prompt, item.answer()) for item in session.interactions])
    await response.text_block("ANSWER", f"re: {query.prompt}")


async def fail(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", "half")
    raise ValueError


async def test_turns_are_remembered_when_that_is_on() -> None:
    async with hosting(remember, memory=True) as host:
        for prompt in ("one", "two", "three"):
            await answer(host, prompt)
    assert _seen == [[], [("one", "re: one")], [("one", "re: one"), ("two", "re: two")]]


async def tell_a_secret(session: Session, query: Query, response: Response) -> None:
    async with response.stream("ANSWER") as stream:
        await stream.write(f"it is {SECRET[:9]}")
        await response.text_block("BETWEEN", "x")
        await stream.write(f"{SECRET[9:]}, as I said")
    await response.json("DATA", {"value": SECRET})


async def test_secrets_are_not_remembered() -> None:
    assert redactor.register(SECRET)
    stores = open_stores("memory")
    async with hosting(tell_a_secret, memory=True, stores=stores) as host:
        await answer(host, f"What is {SECRET}?")
        (row,) = await stores.state.kept("session/")
        kept = await stores.state.get(row.key)
    assert kept is not None
    assert b"[redacted]" in kept.value
    assert not any(part.encode() in kept.value for part in (SECRET, SECRET[:9], SECRET[9:]))


async def test_and_not_when_it_is_off() -> None:
    async with hosting(remember) as host:
        await answer(host, "one")
        await answer(host, "two")
    assert _seen == [[], []]


async def test_what_the_client_sends_wins() -> None:
    async with hosting(remember, memory=True) as host:
        await answer(host, "kept")
        await answer(host, "x", interactions=[turn("mine")])
        await answer(host, "y")
    assert _seen[1] == [("mine", "")]
    assert [prompt for prompt, _ in _seen[2]] == ["kept", "x"]


async def test_chats_are_kept_apart() -> None:
    async with hosting(remember, memory=True) as host:
        await answer(host, "one")
        await answer(host, "two", chat=CHAT[:-1] + "9")
        await answer(host, "three", chat=None)
    assert _seen == [[], [], []]


async def test_a_session_that_was_made_has_an_id_and_our_source() -> None:
    async with hosting(remember, memory=True) as host:
        run = await answer(host, "x", chat=None)
    assert run.session.processor_id == "sentient"
    assert len(run.session.activity_id) == 26


async def test_a_run_that_failed_is_not_remembered() -> None:
    stores = open_stores("memory")
    async with hosting(fail, memory=True, stores=stores) as host:
        assert (await answer(host, "x")).outcome == "error"
        assert await stores.state.kept("session/") == []


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
async def test_the_last_two_hundred_turns_are_kept() -> None:
    async with hosting(remember, memory=True) as host:
        for number in range(205):
            await answer(host, str(number))
    assert [prompt for prompt, _ in _seen[-1]] == [str(number) for number in range(4, 204)]


async def test_at_most_a_mebibyte_is_kept() -> None:
    stores = open_stores("memory")
    async with hosting(remember, memory=True, stores=stores) as host:
        for number in range(12):
            await answer(host, f"{number}" + "x" * 100_000)
        row = await stores.state.get(f"session/{CHAT}")
        assert row is not None
        assert len(row.value) <= 1024 * 1024
        await answer(host, "last")
    kept = [prompt.rstrip("x") for prompt, _ in _seen[-1]]
    assert kept == [str(number) for number in range(12 - len(kept), 12)]
    assert len(kept) >= 4


async def test_a_turn_that_is_too_large_is_not_kept_but_the_others_are(caplog: pytest.LogCaptureFixture) -> None:
    async with hosting(remember, memory=True) as host:
        await answer(host, "one")
        await answer(host, "x" * 2_000_000)
        await answer(host, "two")
    assert [prompt for prompt, _ in _seen[-1]] == ["one"]
    assert "too large" in caplog.text


async def test_turns_survive_in_a_file(tmp_path: Path) -> None:
    for prompt in ("one", "two"):
        async with hosting(remember, memory=True, stores=open_stores(f"sqlite:{tmp_path / 'runs.db'}")) as host:
            await answer(host, prompt)
    assert _seen[-1] == [("one", "re: one")]


class Contested(MemoryStateStore):
    """A store in which somebody else is always a little faster, for a while."""

    def __init__(self, conflicts: int) -> None:
        super().__init__()
        self.conflicts = conflicts

    async def put(self, key: str, value: bytes, *, expected: int, at: int = 0) -> int:
        if self.conflicts:
            self.conflicts -= 1
            raise VersionConflictError("somebody else was faster")
        return await super().put(key, value, expected=expected, at=at)


class Quick(SystemClock):
    """A clock on which nobody waits."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def _remember_one(store: MemoryStateStore) -> Row | None:
    ids = SystemIds(SystemClock())
    session = Session("s", ids.ulid(), ids.ulid())
    await SessionMemory(store, Quick()).remember(session, Query(id=ids.ulid(), prompt="p"), [])
    return await store.get(f"session/{session.activity_id}")


async def test_somebody_else_who_writes_first_only_delays() -> None:
    assert await _remember_one(Contested(3)) is not None


async def test_a_session_that_changes_all_the_time_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    assert await _remember_one(Contested(1000)) is None
    assert "could not be kept" in caplog.text


async def test_of_turns_that_end_at_once_none_is_lost() -> None:
    gate = asyncio.Event()

    async def wait(session: Session, query: Query, response: Response) -> None:
        await gate.wait()
        await remember(session, query, response)

    async with hosting(wait, memory=True) as host:
        asking: list[Awaitable[object]] = [asyncio.create_task(answer(host, str(number))) for number in range(6)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert host.runs.live == len(asking)
        gate.set()
        await asyncio.gather(*asking)
        await answer(host, "last")
    assert sorted(prompt for prompt, _ in _seen[-1]) == [str(number) for number in range(6)]


class Broken(MemoryStateStore):
    """A store that does not work."""

    async def get(self, key: str) -> Row | None:
        raise StoreError("the disk is gone")


async def test_a_broken_store_does_not_stop_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with hosting(remember, memory=True, stores=Stores(MemoryEventLog(), Broken())) as host:
        assert (await answer(host, "x")).outcome == "done"
    assert _seen == [[]]
    assert "could not be read" in caplog.text


async def test_a_row_that_is_no_session_does_not_stop_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    stores = open_stores("memory")
    await stores.state.put(f"session/{CHAT}", b'[{"nonsense":1}]', expected=0)
    async with hosting(remember, memory=True, stores=stores) as host:
        assert (await answer(host, "x")).outcome == "done"
    assert "could not be read" in caplog.text


# -- limits ----------------------------------------------------------------------------------------------------------

_NOTES = StateKey("notes", str)


async def keep_notes(session: Session, query: Query, response: Response) -> None:
    await session.state.set(_NOTES, query.prompt)
    notes = await session.state.get(_NOTES)
    await response.respond("ANSWER", notes)


def chat(number: int) -> str:
    return f"01JS4F4Z5V{number:016}"


async def remembered(stores: Stores) -> set[str]:
    """The sessions of which something is kept."""
    rows = [row async for row in _rows(stores)]
    return {row.key.split("/")[1] for row in rows}


async def _rows(stores: Stores) -> AsyncIterator[KeptRow]:
    after = ""
    while rows := await stores.state.kept(after=after):
        after = rows[-1].key
        for row in rows:
            yield row


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
async def test_many_sessions_take_no_more_room_than_a_few() -> None:
    stores = open_stores("memory")
    limits = HostLimits(sessions=KeepLimits(count=20))
    async with hosting(keep_notes, memory=True, stores=stores, limits=limits) as host:
        most = 0
        for number in range(600):
            await answer(host, "x" * 2000, chat=chat(number))
            if number % 100 == 99:
                most = max(most, sum([row.size async for row in _rows(stores)]))
        assert len(await remembered(stores)) <= 20 + 32
        assert chat(599) in await remembered(stores)
        assert most <= (20 + 32) * 8000


@pytest.mark.slow
@pytest.mark.parametrize("url", ["memory", "sqlite:{}/runs.db"])
async def test_sessions_are_kept_by_the_room_they_take(tmp_path: Path, url: str) -> None:
    stores = open_stores(url.format(tmp_path))
    limits = HostLimits(sessions=KeepLimits(size=1_000_000))
    async with hosting(keep_notes, memory=True, stores=stores, limits=limits) as host:
        for number in range(65):  # the last one makes room
            await answer(host, "x" * 50_000, chat=chat(number))
        kept = await remembered(stores)
        assert 3 <= len(kept) <= 9
        assert chat(63) in kept


async def test_a_session_that_is_used_is_kept_and_one_that_is_old_is_not(tmp_path: Path) -> None:
    clock = Later()
    stores = open_stores(f"sqlite:{tmp_path / 'runs.db'}")
    memory = SessionMemory(stores.state, clock, KeepLimits(seconds=100))
    for key in (f"session/{chat(1)}", f"state/{chat(1)}/notes", f"state/{chat(2)}/notes"):
        await stores.state.put(key, b"[]", expected=0, at=clock.now_ns())
    clock.seconds += 90
    row = await stores.state.get(f"session/{chat(1)}")
    assert row is not None
    await stores.state.put(f"session/{chat(1)}", b"[]", expected=row.version, at=clock.now_ns())
    clock.seconds += 90
    await stores.state.put("other/1/x", b"", expected=0)
    await memory.prune()
    assert [row.key for row in await stores.state.kept()] == [
        "other/1/x",
        f"session/{chat(1)}",
        f"state/{chat(1)}/notes",
    ]
    await stores.aclose()


class Later(SystemClock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1_000_000

    def now_ns(self) -> int:
        return self.seconds * 10**9
