"""One order over all runs, held within bounds, for followers who may be as slow as they like."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.dev.messages import EntriesHead
from sentient_cli.dev.recording.feed import Feed
from sentient_cli.dev.recording.runs import RunList
from sentient_cli.errors import CursorError
from sentient_cli.server.inspection import FeedExpiredError, FeedRecord
from sentient_cli.store.entry import Entry
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.jsonl import encode_entries
from tests.dev.recording_kit import entries, entry, frame


def pages(feed: Feed, cursor: str | None = None, limit: int = 3) -> list[FeedRecord]:
    """Everything after a cursor, page by page."""
    found: list[FeedRecord] = []
    place = feed.locate(cursor)
    while True:
        records, place = feed.read(place, limit)
        if not records:
            return found
        found += records


def head_of(head: EntriesHead) -> dict[str, object]:
    return msgspec.structs.asdict(head)


def seen(records: list[FeedRecord]) -> list[tuple[str, int]]:
    return [(json.loads(record.data)["run"], json.loads(record.data)["seq"]) for record in records]


def test_all_runs_in_one_order() -> None:
    feed = Feed()
    feed.push(*frame("a", entries(1, 2)))
    feed.push(*frame("b", entries(1, 1)))
    feed.push_reload(b'{"status":"ready"}')
    feed.push(*frame("a", entries(3, 3, finished=True)))
    records = pages(feed)
    assert [record.event for record in records] == ["entry", "entry", "entry", "reload", "entry"]
    assert records[3].data == b'{"status":"ready"}'
    assert seen([record for record in records if record.event == "entry"]) == [("a", 1), ("a", 2), ("b", 1), ("a", 3)]
    assert json.loads(records[4].data) == {
        "run": "a",
        "seq": 3,
        "at": 1_700_000_000_000_000_003,
        "type": "run.finished",
        "data": {"outcome": "done", "totals": {"events": 7}},
    }
    for number, record in enumerate(records):
        assert pages(feed, record.cursor) == records[number + 1 :]
    assert pages(feed, "latest") == []


def test_data_of_every_kind() -> None:
    batch = [entry(1, "run.started", b"\x00\xff"), entry(2, "odd", b'"' + b"x" * 300_000 + b'"'), entry(3, "e", b"[1]")]
    feed = Feed()
    feed.push(EntriesHead("a", 1, 3, finished=False), encode_entries(batch, lambda digest, data: None))
    first, second, third = [json.loads(record.data) for record in pages(feed)]
    assert (first["data"], first["base64"]) == (None, "AP8=")
    assert (second["data"], len(second["blob"])) == (None, 64)
    assert third["data"] == [1]


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        (EntriesHead("a", 1, 2, finished=False), b'{"seq":1,"at":1,"type":"x","data":1}\n'),
        (EntriesHead("a", 1, 0, finished=False), b""),
        (EntriesHead("a", 1, 1, finished=False), b'{"seq":1}'),
        (EntriesHead('"', 1, 1, finished=False), b'{"seq":1,"at":1,"type":"x","data":1}\n'),
    ],
)
def test_frames_that_are_none_are_passed_over(head: EntriesHead, lines: bytes) -> None:
    feed = Feed()
    feed.push(head, lines)
    assert pages(feed) == []


def test_a_line_that_cannot_be_read_stays_in_the_order() -> None:
    feed = Feed()
    feed.push(EntriesHead("a", 1, 2, finished=False), b'hello\n{"seq":2,"at":1,"type":"x","data":\r1}\n')
    first, second = pages(feed)
    assert json.loads(first.data)["type"] == "unreadable"
    assert b"\r" not in second.data


@pytest.mark.parametrize("cursor", ["", "x", "0", "-1", "0.0", "latest ", "a" * 16 + ".01", "a" * 16 + ".-1", "ä.1"])
def test_nonsense_is_no_cursor(cursor: str) -> None:
    feed = Feed()
    feed.push(*frame("a", entries(1, 2)))
    with pytest.raises(CursorError):
        feed.locate(cursor)


def test_a_cursor_of_the_future_is_none() -> None:
    feed = Feed()
    feed.push(*frame("a", entries(1, 2)))
    cursor = pages(feed)[-1].cursor
    with pytest.raises(CursorError):
        feed.locate(cursor[:-1] + "3")


def test_a_cursor_of_an_earlier_hub_has_expired() -> None:
    earlier, feed = Feed(), Feed()
    for held in (earlier, feed):
        held.push(*frame("a", entries(1, 2)))
    with pytest.raises(FeedExpiredError) as caught:
        feed.locate(pages(earlier)[0].cursor)
    assert seen(pages(feed, caught.value.first)) == [("a", 1), ("a", 2)]


@pytest.mark.parametrize("bounds", [{"max_records": 10}, {"max_bytes": 5000}])
def test_what_is_held_is_bounded(bounds: dict[str, int]) -> None:
    feed = Feed(**bounds)
    cursor: str | None = None
    for run in range(50):
        feed.push(*frame(f"r{run}", entries(1, 3)))
        cursor = cursor or pages(feed)[0].cursor
    held = seen(pages(feed))
    assert 9 <= len(held) <= (10 if "max_records" in bounds else 60)
    assert held[-1] == ("r49", 3)
    assert feed._size == sum(block.size for block in feed._blocks)
    with pytest.raises(FeedExpiredError) as caught:
        feed.locate(cursor)
    assert seen(pages(feed, caught.value.first)) == held
    with pytest.raises(FeedExpiredError):
        feed.read(0, 10)


def test_a_batch_that_is_too_large_is_not_held_and_the_order_goes_on() -> None:
    feed = Feed(max_bytes=1000)
    feed.push(*frame("a", entries(1, 1)))
    before = pages(feed)[0].cursor
    feed.push(*frame("b", entries(1, 1, data=b'"' + b"x" * 2000 + b'"')))
    with pytest.raises(FeedExpiredError) as caught:
        feed.locate(before)
    feed.push(*frame("c", entries(1, 1)))
    assert seen(pages(feed, caught.value.first)) == [("c", 1)]


def test_who_waits_is_woken_once() -> None:
    feed = Feed()
    rung: list[str] = []

    def first() -> None:
        rung.append("first")

    def second() -> None:
        rung.append("second")

    for ring in (first, first, second):
        feed.wake_once(ring)
    feed.forget(second)
    feed.push_reload(b"{}")
    feed.push_reload(b"{}")
    assert rung == ["first"]
    feed.wake_once(second)
    feed.wake()
    assert rung == ["first", "second"]


@given(
    pushes=st.lists(st.integers(0, 12), max_size=40),
    reads=st.lists(st.integers(0, 40), max_size=10),
    bound=st.integers(1, 60),
    limit=st.integers(1, 20),
)
def test_a_follower_sees_every_record_once_or_is_told(
    pushes: list[int], reads: list[int], bound: int, limit: int
) -> None:
    feed = Feed(max_records=bound)
    expected: list[bytes] = []
    found: list[bytes] = []
    place = feed.locate(None)
    for number, count in enumerate(pushes):
        if count:
            batch = entries(1, count)
            feed.push(*frame(f"r{number}", batch))
            expected += [b'{"run":"r%d","seq":%d' % (number, seq) for seq in range(1, count + 1)]
        else:
            feed.push_reload(b'{"number":%d}' % number)
            expected.append(b'{"number":%d}' % number)
        if number in reads:
            try:
                records, place = feed.read(place, limit)
            except FeedExpiredError as error:
                place = feed.locate(error.first)
                found = expected[:place]  # what was missed is known
                continue
            found += [record.data for record in records]
            assert place == len(found)
    assert all(data.startswith(wanted) for data, wanted in zip(found, expected, strict=False))


async def test_the_list_of_runs(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path)
    start = b'{"session":"S","query":"Q","prompt":"%b","agent":"echo"}'
    await log.append("old-3", [Entry(1, 10, "run.started", start % b"before")])
    await log.append("older-2", [Entry(1, 5, "run.started", b"[]"), entry(2, "run.finished", b'{"outcome":"error"}')])
    runs = RunList(log)
    for run, at, prompt in (("a-12", 30, b"hello"), ("b-12", 40, b"x" * 1000)):
        runs.note(*frame(run, [Entry(1, at, "run.started", start % prompt), entry(2)]))
    runs.note(*frame("a-12", entries(3, 4, finished=True)))
    runs.note(*frame("unknown", entries(3, 4, finished=True)))
    for rows in (await runs.newest(), await runs.newest()):
        assert [(row["run"], row["outcome"], row["events"], row["generation"]) for row in rows] == [
            ("b-12", None, None, 12),
            ("a-12", "done", 7, 12),
            ("old-3", "lost", None, 3),
            ("older-2", "error", None, 2),
        ]
    rows = await runs.newest()
    assert rows[1] == {
        "run": "a-12",
        "session": "S",
        "query": "Q",
        "prompt": "hello",
        "outcome": "done",
        "events": 7,
        "started_at": 30,
        "generation": 12,
    }
    assert len(str(rows[0]["prompt"])) == 500
    runs.lose(["b-12", "a-12", "never"])
    assert [row["outcome"] for row in await runs.newest(2)] == ["lost", "done"]
    await log.aclose()


async def test_the_list_of_runs_is_bounded() -> None:
    runs = RunList()
    for number in range(1100):
        runs.note(*frame(f"r-{number}", entries(1, 1)))
    rows = await runs.newest()
    assert len(rows) == 1000
    assert {row["run"] for row in rows} >= {"r-1099", "r-100"}


_BOUNDS: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.just(dict[str, int]()),
    st.integers(20, 60).map(lambda most: {"max_records": most}),
    st.integers(3000, 9000).map(lambda most: {"max_bytes": most}),
)


@given(
    frames=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.booleans()), max_size=40),
    bounds=_BOUNDS,
    limit=st.integers(1, 9),
)
def test_from_wherever_one_reads_on_each_record_comes_once(
    frames: list[tuple[int, int, bool]], bounds: dict[str, int], limit: int
) -> None:
    feed = Feed(**bounds)
    told: list[tuple[str, int]] = []
    for number, (runs, count, reloads) in enumerate(frames):
        if reloads:
            feed.push_reload(b'{"run":"reload","seq":%d}' % number)
            told.append(("reload", number))
        pushed = [frame(f"r{number}x{run}", entries(1, count)) for run in range(runs)]
        heads = [head for head, _ in pushed]
        feed.push_frame(
            heads, json.dumps([head_of(head) for head in heads]).encode() + b"\n" + b"".join(t for _, t in pushed)
        )
        told += [(head.run, seq) for head in heads for seq in range(1, count + 1)]
    records = pages(feed, limit=limit)
    assert seen(records) == told[len(told) - len(records) :]
    assert len(records) == len(told) or bounds
    for place, record in enumerate(records):
        assert pages(feed, record.cursor, limit) == records[place + 1 :]
