"""Entries on their way to the store: batched, masked as the streams that they are, and encoded once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from sentient_cli.clock import SystemClock
from sentient_cli.host.intake import Intake
from sentient_cli.host.lines import ChunkShape, MaskedBatch
from sentient_cli.host.redacted import RedactedLog
from sentient_cli.host.threads import Threads
from sentient_cli.redact import REDACTED, Redactor
from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.runtime.events import TextChunkEvent, encode_event, encode_json
from sentient_cli.runtime.log import RunLog
from sentient_cli.store.batch import EntryBatch
from sentient_cli.store.entry import Entry, LogEntry
from sentient_cli.store.jsonl import encode_entries
from sentient_cli.store.memory import MemoryEventLog
from sentient_cli.store.rules import BLOB_BYTES
from sentient_cli.store.writer import WriteBehind

SECRET = 'pa/ss "wörd"+\\%=1'
EVENT_ID = b"01JS4F4Z5V0000000000000001"
_RECOGNISED = 10


class Lined(MemoryEventLog):
    """A log that looks at the lines of what it keeps as well."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.chunks = 0

    @override
    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        assert isinstance(entries, EntryBatch)
        blobs: dict[str, bytes] = {}
        others: dict[str, bytes] = {}
        assert entries.lines(blobs.__setitem__) == encode_entries(list(entries), others.__setitem__)
        assert blobs == others
        self.batches.append(len(entries))
        self.chunks += sum(isinstance(entry, ChunkEntry) for entry in entries.source())
        await super().append(run_id, list(entries))


class Way:
    """The way of entries to a log."""

    def __init__(self) -> None:
        self.redactor = Redactor()
        assert self.redactor.register(SECRET)
        self.log = Lined()
        self._threads = Threads()
        self.failures: list[object] = []

        def failed(run_id: str, error: Exception) -> None:
            self.failures.append((run_id, error))

        self.writer = WriteBehind[LogEntry](RedactedLog(self.log, self.redactor, self._threads), on_failure=failed)
        self.intake = Intake(self.writer, self.redactor)

    async def close(self) -> None:
        self.intake.flush()
        await self.writer.aclose(timeout=10)
        await self._threads.aclose()
        assert self.failures == []


def _content(entries: Sequence[Entry], stream: str) -> str:
    events = [json.loads(entry.data) for entry in entries if entry.type == "event"]
    return "".join(event["content"] for event in events if event.get("stream_id") == stream)


def _allowed(redactor: Redactor, whole: str) -> re.Pattern[str]:
    """The whole without its secrets; the few characters by which one is recognised may stand before its mark."""
    parts: list[str] = []
    at = 0
    for hidden in redactor.hidden(whole):
        parts.append(re.escape(whole[at : hidden.cover]))
        first = whole[hidden.cover : min(hidden.cover + _RECOGNISED, hidden.end)]
        parts.append("".join(f"(?:{re.escape(char)}" for char in first) + ")?" * len(first) + re.escape(REDACTED))
        at = hidden.end
    return re.compile("".join([*parts, re.escape(whole[at:])]))


_WORD = st.sampled_from(
    [
        *("token=", "Bearer ", "abcdef123456", "sk-", "a" * 20, "AKIA", "://u:", "@host", " ", "\n", '"', "\\", "x"),
        *(
            SECRET,
            SECRET[:5],
            SECRET[5:],
            "password",
            ": ",
            "api_",
            "key",
            "tok",
            "en=",
            "The answer is ",
            "\u2028",
            "ü",
        ),
    ]
)
_PIECE = st.tuples(st.sampled_from("01"), _WORD, st.sampled_from(["", "", "", "flush", "turn", "other"]))


@given(pieces=st.lists(_PIECE, max_size=60), group=st.integers(1, 20), as_event=st.booleans(), complete=st.booleans())
async def test_however_it_comes_no_secret_is_kept_and_nothing_else_is_changed(
    pieces: list[tuple[str, str, str]], group: int, as_event: bool, complete: bool
) -> None:
    way = Way()
    made, marks = _entries_of(pieces, as_event=as_event, complete=complete)
    await _take_in_groups(way, made, marks, group)
    await way.close()
    kept = await way.log.read("r", limit=10_000)
    assert [(entry.seq, entry.at, entry.type) for entry in kept] == [(item.seq, item.at, item.type) for item in made]
    for name in "01":
        whole = "".join(text for stream, text, _ in pieces if stream == name)
        spaced = whole + " " if complete else whole  # the closing piece
        found = _content(kept, name)
        assert _allowed(way.redactor, spaced).fullmatch(found), found
        if not list(way.redactor.hidden(spaced)):
            assert found == spaced
    assert SECRET not in "".join(str(json.loads(entry.data)) for entry in kept if entry.type == "log")


def _entries_of(
    pieces: list[tuple[str, str, str]], *, as_event: bool, complete: bool
) -> tuple[list[LogEntry], dict[int, str]]:
    """The entries of a run that says these pieces, and what happens after which of them."""
    encoders = {name: ChunkEncoder("ANSWER", "source", name) for name in "01"}
    made: list[LogEntry] = [Entry(1, 1, "run.started", b"{}")]
    marks: dict[int, str] = {}
    for name, text, then in pieces:
        seq = len(made) + 1
        chunk = ChunkEntry(seq, seq, encoders[name], EVENT_ID, text)
        made.append(Entry(seq, seq, "event", chunk.data) if as_event and seq % 3 == 0 else chunk)
        if then == "other":
            made.append(Entry(seq + 1, seq + 1, "log", encode_json({"text": SECRET})))
        marks[len(made)] = then
    if complete:
        for name in "01":
            event = TextChunkEvent(
                event_name="ANSWER", id="x", source="source", stream_id=name, is_complete=True, content=" "
            )
            made.append(Entry(len(made) + 1, len(made) + 1, "event", encode_event(event)))
    made.append(Entry(len(made) + 1, len(made) + 1, "run.finished", b"{}"))
    return made, marks


async def _take_in_groups(way: Way, made: list[LogEntry], marks: dict[int, str], group: int) -> None:
    take = way.intake.listener("r")
    start = 0
    for end in range(1, len(made) + 1):
        if end - start >= group or marks.get(end) or end == len(made):
            take(made[start:end])
            start = end
        if marks.get(end) == "flush":
            way.intake.flush()
        if marks.get(end) == "turn":
            await asyncio.sleep(0)


async def test_harmless_chunks_are_kept_without_a_copy_and_in_batches_of_256() -> None:
    way = Way()
    take = way.intake.listener("r")
    encoder = ChunkEncoder("ANSWER", "source", "s")
    take([Entry(1, 1, "run.started", b"{}")])
    for seq in range(2, 801):
        take([ChunkEntry(seq, seq, encoder, EVENT_ID, f"word {seq} ")])
        if seq % 256 == 0:
            await way.writer.flush()
    take([Entry(801, 801, "run.finished", b"{}")])
    await way.close()
    assert way.log.batches == [256, 256, 256, 33]
    assert way.log.chunks == 799


async def test_a_log_delivers_soon_at_first_then_when_the_time_is_up_and_its_end_at_once() -> None:
    way = Way()
    told: list[int] = []
    soon = asyncio.get_running_loop().call_soon

    def count(entries: Sequence[LogEntry]) -> None:
        told.append(len(entries))

    log = RunLog("r", SystemClock(), None, [count, way.intake.listener("r")], way.intake.schedule(soon))
    log.append("run.started", b"{}")
    await asyncio.sleep(0)
    assert told == [1]
    for number in range(5):
        log.append("event", b"%d" % number)
        await asyncio.sleep(0)
    assert told == [1]
    await way.log.wait("r", after=1)
    assert told == [1, 5]
    log.append("event", b"5")
    log.append("run.finished", b"{}")
    assert told == [1, 5, 2]
    await way.close()
    assert [entry.data for entry in await way.log.read("r")] == [b"{}", *(b"%d" % number for number in range(6)), b"{}"]


async def test_a_listener_that_raises_holds_up_no_other_run() -> None:
    way = Way()
    loop = asyncio.get_running_loop()
    caught: list[object] = []
    loop.set_exception_handler(lambda _, context: caught.append(context.get("exception")))
    error = ValueError("broken")

    def refuse(entries: Sequence[LogEntry]) -> None:
        if entries[0].type == "event":
            raise error

    listeners = {"broken": [refuse], "whole": []}
    logs = [
        RunLog(name, SystemClock(), None, [*first, way.intake.listener(name)], way.intake.schedule(loop.call_soon))
        for name, first in listeners.items()
    ]
    for log in logs:
        log.append("run.started", b"{}")
    await asyncio.sleep(0)
    for after in (1, 2):
        for log in logs:
            log.append("event", b"{}")
        await way.log.wait("whole", after=after)
    await way.close()
    assert caught == [error, error]
    assert [entry.seq for entry in await way.log.read("whole")] == [1, 2, 3]


async def test_the_logs_of_many_runs_deliver_together_and_in_order() -> None:
    way = Way()
    soon = asyncio.get_running_loop().call_soon
    names = [f"run{number}" for number in range(20)]
    clock = SystemClock()
    logs = [RunLog(name, clock, None, [way.intake.listener(name)], way.intake.schedule(soon)) for name in names]
    for log in logs:
        log.append("run.started", b"{}")
    for turn in range(300):
        for log in logs:
            log.append("event", b"%d" % turn)
        await asyncio.sleep(0.0005)
    for log in logs:
        log.append("run.finished", b"{}")
    await way.close()
    for name in names:
        entries = await way.log.read(name)
        assert [entry.data for entry in entries[1:-1]] == [b"%d" % turn for turn in range(300)]
        assert [entry.seq for entry in entries] == list(range(1, 303))
    # Turn by turn it would be 300 for each.
    assert len(way.log.batches) < len(names) * 60


async def test_few_entries_wait_for_a_moment_only() -> None:
    way = Way()
    takes = [way.intake.listener(name) for name in "ab"]
    for _ in range(2):
        for number, take in enumerate(takes):
            seq = len(await way.log.read("ab"[number])) + 1
            take([Entry(seq, seq, "run.started" if seq == 1 else "event", b"{}")])
            await way.log.wait("ab"[number], after=seq - 1)
    await way.close()


async def test_what_is_closed_at_once_is_kept() -> None:
    way = Way()
    way.intake.listener("r")([Entry(1, 1, "run.started", b"{}")])
    await way.close()
    assert len(await way.log.read("r")) == 1


async def test_a_secret_over_the_runs_turns_is_masked_and_the_other_runs_go_on() -> None:
    way = Way()
    encoder = ChunkEncoder("ANSWER", "source", "s")
    takes = {name: way.intake.listener(name) for name in "ab"}
    for take in takes.values():
        take([Entry(1, 1, "run.started", b"{}")])
    for seq, char in enumerate(SECRET, 2):
        takes["a"]([ChunkEntry(seq, seq, encoder, EVENT_ID, char)])
        takes["b"]([ChunkEntry(seq, seq, encoder, EVENT_ID, "the key ")])
        way.intake.flush()
        await way.writer.flush()
    assert len(await way.log.read("b")) == len(SECRET) + 1
    for take in takes.values():
        take([Entry(len(SECRET) + 2, 99, "run.finished", b"{}")])
    await way.close()
    assert re.fullmatch(r"p?a?\[redacted\]", _content(await way.log.read("a"), "s"))
    assert _content(await way.log.read("b"), "s") == "the key " * len(SECRET)


async def test_a_name_that_was_cut_between_batches_still_tells_of_a_secret() -> None:
    way = Way()
    encoder = ChunkEncoder("ANSWER", "source", "s")
    take = way.intake.listener("r")
    take([Entry(1, 1, "run.started", b"{}")])
    for seq, text in enumerate(["my tok", "en=abcdefgh12345 ", "is here"], 2):
        take([ChunkEntry(seq, seq, encoder, EVENT_ID, text)])
        way.intake.flush()
    take([Entry(5, 5, "run.finished", b"{}")])
    await way.close()
    assert _content(await way.log.read("r"), "s") == "my token=[redacted] is here"


async def test_names_of_streams_are_masked_too() -> None:
    way = Way()
    encoder = ChunkEncoder("ANSWER", "token=abcdefgh12345", "s")
    way.intake.listener("r")(
        [
            Entry(1, 1, "run.started", b"{}"),
            ChunkEntry(2, 2, encoder, EVENT_ID, "hello"),
            Entry(3, 3, "run.finished", b"{}"),
        ]
    )
    await way.close()
    kept = await way.log.read("r")
    assert b"abcdefgh12345" not in kept[1].data
    assert json.loads(kept[1].data)["content"] == "hello"


@pytest.mark.parametrize("length", [10, BLOB_BYTES // 8 + 1, BLOB_BYTES + 1])
@pytest.mark.parametrize("count", [3, 700])
def test_lines_are_those_of_the_entries(length: int, count: int) -> None:
    if length > 10 and count > 3:
        count = 30
    encoders = [ChunkEncoder("A", "s", str(number)) for number in range(3)]
    entries: list[LogEntry] = [
        Entry(seq, seq, "log", b'{"a":1}')
        if seq % 7 == 0
        else ChunkEntry(
            seq, seq, encoders[seq // 5 % 3], EVENT_ID, ("ü\n\ud800" + "x" * length) if seq == 2 else "hello"
        )
        for seq in range(1, count + 1)
    ]
    batch = MaskedBatch(entries, ChunkShape)
    blobs: dict[str, bytes] = {}
    others: dict[str, bytes] = {}
    plain = [Entry(entry.seq, entry.at, entry.type, entry.data) for entry in entries]
    keep: Callable[[str, bytes], None] = blobs.__setitem__
    assert batch.lines(keep) == encode_entries(plain, others.__setitem__)
    assert blobs == others
    assert (list(batch), batch[0], batch[1:3], len(batch)) == (plain, plain[0], plain[1:3], count)
