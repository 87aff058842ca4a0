"""The adapters that one contract suite holds to, and small makers of entries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec.structs

from sentient_cli.store.database import Database
from sentient_cli.store.entry import Entry
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.memory import MemoryEventLog, MemoryStateStore
from sentient_cli.store.ports import EventLog, StateStore
from sentient_cli.store.sqlite import SQLiteEventLog, SQLiteStateStore

LOGS: dict[str, Callable[[Path], EventLog]] = {
    "memory": lambda path: MemoryEventLog(),
    "sqlite": lambda path: SQLiteEventLog(Database(path / "runs.db")),
    "file": lambda path: FileEventLog(path / "runs"),
}
DURABLE_LOGS = ("sqlite", "file")

STATES: dict[str, Callable[[Path], StateStore]] = {
    "memory": lambda path: MemoryStateStore(),
    "sqlite": lambda path: SQLiteStateStore(Database(path / "state.db")),
}


@contextlib.asynccontextmanager
async def opened_log(name: str, path: Path) -> AsyncGenerator[EventLog]:
    log = LOGS[name](path)
    try:
        yield log
    finally:
        await log.aclose()


@contextlib.asynccontextmanager
async def opened_state(name: str, path: Path) -> AsyncGenerator[StateStore]:
    store = STATES[name](path)
    try:
        yield store
    finally:
        await store.aclose()


def entry(seq: int, kind: str = "event", data: bytes = b"{}") -> Entry:
    return Entry(seq, 1_700_000_000_000_000_000 + seq, kind, data)


def entries(first: int, last: int, *, finished: bool = False, data: bytes = b"{}") -> list[Entry]:
    """Entries that continue a log; the first of a log starts it, and the last may finish it."""
    made = [entry(seq, "run.started" if seq == 1 else "event", data) for seq in range(first, last + 1)]
    if finished:
        made[-1] = msgspec.structs.replace(made[-1], type="run.finished")
    return made
