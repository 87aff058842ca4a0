"""A process that writes to a store until it is killed, until it has lost or won a race, or until the disk is full."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
from pathlib import Path

from sentient_cli.errors import LogSequenceError, StoreError
from sentient_cli.store.ports import EventLog
from tests.store.adapters import LOGS, entries

BATCH = 3
RACE_LENGTH = 60


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def endless(log: EventLog) -> None:
    """Append threes, each with data that is sometimes large, and tell of each that is kept."""
    seq = 0
    while True:
        data = b"1" * (300 * 1024 if seq % 30 == 0 else 5_000)
        await log.append("r", entries(seq + 1, seq + BATCH, data=data))
        seq += BATCH
        say(str(seq))


async def race(log: EventLog) -> None:
    """Append to a run that others append to, always after its end; tell of each seq that was won."""
    head = await log.head("r")
    last = 0 if head is None else head.last_seq
    while last < RACE_LENGTH:
        try:
            await log.append("r", entries(last + 1, last + 1))
            say(str(last + 1))
        except LogSequenceError:
            pass
        head = await log.head("r")
        last = 0 if head is None else head.last_seq


async def full(log: EventLog) -> None:
    """Append until no file may grow, then show that the store can still be read."""
    await log.append("r", entries(1, 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    last = 1
    try:
        while True:
            await log.append("r", entries(last + 1, last + BATCH, data=b"1" * 20_000))
            last += BATCH
    except StoreError as error:
        say(f"{type(error).__name__}: {error}")
    found = await log.read("r", limit=100_000)
    say(f"{last} {len(found)}")


def hold(path: str) -> None:
    """Lock a SQLite file until a line comes in."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    say("locked")
    sys.stdin.readline()
    connection.execute("COMMIT")
    connection.close()


def hold_directory(path: str) -> None:
    """Lock a directory of logs until a line comes in."""
    from sentient_cli.store.directory import SharedDirectory  # noqa: PLC0415

    shared = SharedDirectory(Path(path), timeout=5)
    with shared.locked():
        say("locked")
        sys.stdin.readline()
    shared.close()


async def main(mode: str, adapter: str, path: str) -> None:
    log = LOGS[adapter](Path(path))
    try:
        await {"endless": endless, "race": race, "full": full}[mode](log)
    finally:
        await log.aclose()


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        {"sqlite": hold, "file": hold_directory}[sys.argv[2]](sys.argv[3])
    else:
        asyncio.run(main(*sys.argv[1:4]))
