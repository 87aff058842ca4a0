"""Opening SQLite files: private, checked, and refused when they are not ours."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from sentient_cli.errors import StoreError
from sentient_cli.store.database import Database
from sentient_cli.store.open import open_stores
from sentient_cli.store.sqlite import SQLiteEventLog, SQLiteStateStore
from sentient_cli.store.sqlite_file import SCHEMA_VERSION
from tests.store.adapters import entries, entry


async def _error(path: Path) -> StoreError:
    log = SQLiteEventLog(Database(path))
    try:
        with pytest.raises(StoreError) as caught:
            await log.append("r", entries(1, 1))
        with pytest.raises(StoreError):
            await log.read("r")
        return caught.value
    finally:
        await log.aclose()


async def _stored(path: Path, data: bytes = b"{}") -> None:
    log = SQLiteEventLog(Database(path))
    await log.append("r", [*entries(1, 1), *(entry(seq, data=data) for seq in range(2, 200))])
    await log.aclose()


def _execute(path: Path, *statements: str) -> list[object]:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return [connection.execute(statement).fetchone() for statement in statements]
    finally:
        connection.close()


async def test_files_are_private_and_safe_from_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "new" / "runs.db"
    database = Database(path)
    log = SQLiteEventLog(database)
    await log.append("r", entries(1, 1))
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "runs.db": 0o600,
        "runs.db-wal": 0o600,
        "runs.db-shm": 0o600,
    }
    assert path.parent.stat().st_mode & 0o777 == 0o700
    pragmas = await database.write(
        lambda connection: [
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        ]
    )
    assert pragmas == ["wal", 2]
    await log.aclose()
    assert [file.name for file in path.parent.iterdir()] == ["runs.db"]


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await _stored(path)
    assert SCHEMA_VERSION == 2
    _execute(path, "UPDATE sentient_schema SET version = 3")
    assert "another version" in str(await _error(path))


@pytest.mark.parametrize("first", ["read", "write"])
async def test_a_store_of_the_first_schema_is_made_new_and_keeps_its_rows(tmp_path: Path, first: str) -> None:
    path = tmp_path / "runs.db"
    await _stored(path)
    _execute(path, "DROP TABLE state")
    _execute(path, "CREATE TABLE state (version INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, value BLOB)")
    _execute(path, "INSERT INTO state (key, value) VALUES ('old', x'01')")
    _execute(path, "UPDATE sentient_schema SET version = 1")
    stores = open_stores(f"sqlite:{path}")
    if first == "write":
        await stores.state.put("new", b"", expected=0, at=7)
    assert await stores.state.get("old") == (b"\x01", 1)
    if first == "read":
        await stores.state.put("new", b"", expected=0, at=7)
    assert [(row.key, row.at) for row in await stores.state.kept()] == [("new", 7), ("old", 0)]
    assert len(await stores.events.runs()) == 1
    await stores.aclose()


async def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    _execute(path, "CREATE TABLE mine (a)")
    assert "is not a store" in str(await _error(path))
    assert _execute(path, "SELECT count(*) FROM sqlite_schema") == [(1,)]


async def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_text("my notes " * 100)
    assert "is not a store" in str(await _error(path))
    assert path.read_text() == "my notes " * 100


async def test_damage_is_found_when_opened(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await _stored(path, b"1" * 3000)
    content = bytearray(path.read_bytes())
    for offset in range(8 * 4096, len(content), 4096):
        content[offset : offset + 64] = b"\xff" * 64
    path.write_bytes(content)
    assert "is damaged" in str(await _error(path))


async def test_a_path_that_cannot_be_a_file(tmp_path: Path) -> None:
    assert "cannot be opened" in str(await _error(tmp_path))
    (tmp_path / "file").touch()
    assert "cannot be opened" in str(await _error(tmp_path / "file" / "runs.db"))


async def test_a_store_that_outgrows_its_bound_fails_and_goes_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "runs.db")
    log = SQLiteEventLog(database)
    await log.append("r", entries(1, 1))
    await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 40").fetchone())
    with pytest.raises(StoreError, match="disk is full"):
        await log.append("r", entries(2, 100, data=b"1" * 5000))
    assert await log.read("r") == entries(1, 1)
    await log.append("r", entries(2, 3))
    assert await log.read("r") == entries(1, 3)
    await log.aclose()


async def test_damaged_large_data_is_found(tmp_path: Path) -> None:
    database = Database(tmp_path / "runs.db")
    log = SQLiteEventLog(database)
    await log.append("r", [*entries(1, 1), entry(2, data=b"1" * 300_000)])
    await database.write(lambda connection: connection.execute("UPDATE blobs SET data = x'00'").fetchone())
    with pytest.raises(StoreError, match="SHA-256"):
        await log.read("r")
    await log.aclose()


async def test_blobs_go_with_the_last_entry_that_has_them(tmp_path: Path) -> None:
    database = Database(tmp_path / "runs.db")
    log = SQLiteEventLog(database)
    for run in ("r", "s"):
        await log.append(run, [*entries(1, 1), entry(2, data=b"1" * 300_000)])

    async def blobs() -> int:
        count: int = await database.read(
            lambda connection: connection.execute("SELECT count(*) FROM blobs").fetchone()[0]
        )
        return count

    assert await blobs() == 1
    await log.discard("r")
    assert await blobs() == 1
    await log.discard("s", before=3)
    assert await blobs() == 0
    assert [(run.run_id, run.size) for run in await log.kept()] == [("s", 0)]
    await log.aclose()


async def test_two_stores_share_one_file_and_one_writer_thread(tmp_path: Path) -> None:
    database = Database(tmp_path / "one.db")
    log, state = SQLiteEventLog(database), SQLiteStateStore(database)
    other = SQLiteEventLog(Database(tmp_path / "two.db"))
    await asyncio.gather(
        log.append("r", entries(1, 1)), state.put("k", b"v", expected=0), other.append("r", entries(1, 1))
    )
    assert [thread.name for thread in threading.enumerate()].count("sentient-store-writer") == 1
    await log.aclose()
    assert await state.get("k") is not None
    await other.aclose()
    await state.put("l", b"v", expected=0)
    await state.aclose()
    assert "sentient-store-writer" not in [thread.name for thread in threading.enumerate()]


async def test_several_can_make_the_same_file_at_once(tmp_path: Path) -> None:
    logs = [SQLiteEventLog(Database(tmp_path / "runs.db")) for _ in range(4)]
    await asyncio.gather(*(log.append(f"r{number}", entries(1, 1)) for number, log in enumerate(logs)))
    assert sorted(await logs[0].runs()) == ["r0", "r1", "r2", "r3"]
    for log in logs:
        await log.aclose()


async def test_a_write_that_is_cancelled_before_its_turn_is_not_done(tmp_path: Path) -> None:
    database = Database(tmp_path / "runs.db")
    log = SQLiteEventLog(database)
    loop, entered, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> bool:
        loop.call_soon_threadsafe(entered.set)
        return gate.wait()

    holding = asyncio.create_task(database.write(hold))
    await entered.wait()
    cancelled = asyncio.create_task(log.append("r", entries(1, 1)))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    gate.set()
    await holding
    assert await log.runs() == []
    await log.aclose()
