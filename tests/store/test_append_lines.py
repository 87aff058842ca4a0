"""The file adapter takes entries that are encoded already, by the rules of any other append."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import LogSequenceError, StoreError
from sentient_cli.store.batch import Lines, appender
from sentient_cli.store.entry import Entry
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.jsonl import encode_entries
from sentient_cli.store.memory import MemoryEventLog
from sentient_cli.store.ports import LogHead
from sentient_cli.store.rules import BLOB_BYTES
from tests.store.adapters import entries, entry


def no_blob(digest: str, data: bytes) -> None:
    raise AssertionError(digest)


def text(*batches: Sequence[Entry]) -> bytes:
    return b"".join(encode_entries(batch, no_blob) for batch in batches)


async def append(log: FileEventLog, run: str, first: int, last: int, finished: bool, lines: bytes) -> None:
    (error,) = await log.append_all_lines([Lines(run, first, last, finished, lines)])
    if error is not None:
        raise error


async def test_lines_are_what_append_writes(tmp_path: Path) -> None:
    lines, plain = FileEventLog(tmp_path / "a"), FileEventLog(tmp_path / "b")
    await append(lines, "r", 1, 3, False, text(entries(1, 3)))
    await append(lines, "r", 4, 9, True, text(entries(4, 6), entries(7, 9, finished=True)))
    for batch in (entries(1, 3), entries(4, 6), entries(7, 9, finished=True)):
        await plain.append("r", batch)
    assert await lines.read("r") == await plain.read("r") == entries(1, 9, finished=True)
    written = [(tmp_path / name / "r.jsonl").read_bytes().partition(b"\n")[2] for name in "ab"]
    assert written[0] == written[1]
    assert await lines.head("r") == LogHead(1, 9, finished=True)
    assert await lines.read("r", after=4, limit=2) == entries(5, 6)
    await lines.aclose()
    await plain.aclose()


async def test_both_ways_can_be_mixed_and_another_process_reads_on(tmp_path: Path) -> None:
    writing, reading = FileEventLog(tmp_path), FileEventLog(tmp_path)
    await writing.append("r", entries(1, 2))
    assert await reading.read("r") == entries(1, 2)
    await append(writing, "r", 3, 4, False, text(entries(3, 4)))
    assert await reading.read("r", after=2) == entries(3, 4)
    await reading.append("r", entries(5, 5))
    await append(writing, "r", 6, 6, True, text(entries(6, 6, finished=True)))
    assert await reading.read("r") == await writing.read("r") == entries(1, 6, finished=True)
    await writing.discard("r", before=4)
    assert await reading.read("r", after=3) == entries(4, 6, finished=True)
    await writing.aclose()
    await reading.aclose()


START = text(entries(1, 2))
BAD_LINES = {
    "no start": ("r", 1, 1, False, text([entry(1)])),
    "a gap": ("r", 4, 5, False, text([entry(4), entry(5)])),
    "again": ("r", 1, 2, False, START),
    "another first": ("r", 3, 4, False, text([entry(2), entry(3)])),
    "too few": ("r", 3, 5, False, text([entry(3), entry(5)])),
    "too many": ("r", 3, 4, False, text([entry(3), entry(3), entry(4)])),
    "no lines": ("r", 3, 2, False, b""),
    "no JSON": ("r", 3, 3, False, b"hello\n"),
    "no line feed": ("r", 3, 3, False, text([entry(3)])[:-1]),
    "not whole": ("r", 3, 3, False, text(entries(3, 4)).partition(b"\n")[0] + b"\n"),
    "an end that is not said": ("r", 3, 3, False, text([entry(3, "run.finished")])),
    "a said end that is none": ("r", 3, 3, True, text([entry(3)])),
    "something after the end": ("r", 3, 4, False, text([entry(3, "run.finished"), entry(4)])),
    "a second start": ("r", 3, 3, False, text([entry(3, "run.started")])),
    "a time that no log keeps": ("r", 3, 3, False, text([Entry(3, -1, "event", b"{}")])),
    "no run id": ("../r", 1, 2, False, START),
}


@pytest.mark.parametrize("case", BAD_LINES)
async def test_lines_that_do_not_continue_leave_nothing(tmp_path: Path, case: str) -> None:
    log = FileEventLog(tmp_path)
    if case != "no start":
        await log.append("r", entries(1, 2))
    with pytest.raises(StoreError):
        await append(log, *BAD_LINES[case])
    assert await log.head("r") == (None if case == "no start" else LogHead(1, 2, finished=False))
    assert await log.runs() == ([] if case == "no start" else ["r"])
    await log.aclose()


async def test_nothing_comes_after_the_end(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path)
    await append(log, "r", 1, 2, True, text(entries(1, 2, finished=True)))
    with pytest.raises(LogSequenceError, match="finished"):
        await append(log, "r", 3, 3, False, text([entry(3)]))
    await log.aclose()


async def test_many_runs_at_once_and_one_that_is_wrong(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path)
    good = [Lines(name, 1, 2, False, START) for name in "abc"]
    results = await log.append_all_lines([*good[:2], Lines("x", 2, 3, False, text(entries(2, 3))), good[2]])
    assert [type(result) for result in results] == [type(None), type(None), LogSequenceError, type(None)]
    appends: list[tuple[str, list[Entry]]] = [
        ("a", entries(3, 4, finished=True)),
        ("b", []),
        ("no id", entries(1, 1)),
        ("c", entries(3, 3)),
    ]
    results = await appender(log)(appends)
    assert [result is None for result in results] == [True, True, False, True]
    assert sorted(await log.runs()) == ["a", "b", "c"]
    assert await log.read("a") == entries(1, 4, finished=True)
    await log.aclose()


async def test_any_log_appends_to_many_runs() -> None:
    log = MemoryEventLog()
    appends = [("a", entries(1, 2)), ("b", entries(2, 2)), ("c", entries(1, 1))]
    assert [result is None for result in await appender(log)(appends)] == [True, False, True]
    assert await log.runs() == ["c", "a"]


async def test_who_waits_is_woken(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path)
    waiting = asyncio.create_task(log.wait("r", after=0))
    await asyncio.sleep(0)
    await append(log, "r", 1, 2, False, START)
    await waiting
    await log.aclose()


async def test_blobs(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path)
    data = b'"' + b"x" * BLOB_BYTES + b'"'
    blobs: dict[str, bytes] = {}
    lines = encode_entries([entry(1, "run.started", data)], blobs.__setitem__)
    ((digest, kept),) = blobs.items()
    assert digest == hashlib.sha256(data).hexdigest()
    with pytest.raises(LogSequenceError, match="SHA-256"):
        await log.keep_blob("r", digest, b"something else")
    with pytest.raises(StoreError, match="run id"):
        await log.keep_blob("../r", digest, kept)
    await log.keep_blob("r", digest, kept)
    await append(log, "r", 1, 1, False, lines)
    assert (await log.read("r"))[0].data == data
    await log.aclose()


@pytest.mark.slow
@given(cuts=st.lists(st.integers(1, 6), min_size=1, max_size=8), joined=st.booleans(), again=st.booleans())
async def test_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], joined: bool, again: bool
) -> None:
    log = FileEventLog(tmp_path_factory.mktemp("cut"))
    last = 0
    batches: list[list[Entry]] = []
    for count in cuts:
        batches.append(entries(last + 1, last + count))
        last += count
    if joined:
        await append(log, "r", 1, last, False, text(*batches))
    else:
        for batch in batches:
            await append(log, "r", batch[0].seq, batch[-1].seq, False, text(batch))
            if again:
                assert len(await log.read("r")) == batch[-1].seq
    assert await log.read("r", limit=10_000) == entries(1, last)
    middle = last // 2
    assert await log.read("r", after=middle, limit=2) == entries(middle + 1, min(middle + 2, last))
    await log.append("r", entries(last + 1, last + 1))
    await log.aclose()
