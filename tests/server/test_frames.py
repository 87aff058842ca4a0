"""From entries to bytes and back: what a reader of SSE by the book gets is what was in the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.runtime.events import Event, TextBlockEvent, TextChunkEvent, decode_event, encode_event, encode_json
from sentient_cli.server.frames import HEARTBEAT, encode_entries
from sentient_cli.store.entry import Entry

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_NAMES = st.text(
    st.sampled_from('ab é"\\,:{}schema_version') | st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]),
    min_size=1,
    max_size=40,
).filter(lambda name: name[0] != " ")
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(TextBlockEvent, event_name=_NAMES, id=_TEXT, source=_TEXT, content=_TEXT),
    st.builds(
        TextChunkEvent,
        event_name=_NAMES,
        id=_TEXT,
        source=_TEXT,
        stream_id=_TEXT,
        is_complete=st.booleans(),
        content=_TEXT,
    ),
)
_END: dict[str, object] = {"outcome": "done", "id": "01J", "source": "s\u2028", "totals": None}


def parse(data: str, splits: int) -> list[tuple[str, str, str]]:
    """An SSE reader as the standard has it, with lines as a given reader sees them."""
    found: list[tuple[str, str, str]] = []
    fields = {"id": "", "event": "", "data": ""}
    for line in data.splitlines() if splits else data.split("\n")[:-1]:
        if not line:
            if fields["data"]:
                found.append((fields["id"], fields["event"], fields["data"]))
            fields |= {"event": "", "data": ""}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            assert name in fields
            fields[name] = value.removeprefix(" ")
    return found


@pytest.mark.slow
@given(st.lists(_EVENTS | st.none(), max_size=8), st.integers(1, 10**9), st.booleans(), st.integers(0, 1))
def test_a_reader_gets_what_was_in_the_log(events: list[Event | None], first: int, ended: bool, splits: int) -> None:
    entries = [
        Entry(seq, 0, "log", encode_json({"text": "\n\nevent: forged\ndata: {}\n\n"}))
        if event is None
        else Entry(seq, 0, "event", encode_event(event))
        for seq, event in enumerate(events, first)
    ]
    if ended:
        entries.append(Entry(first + len(events), 0, "run.finished", encode_json(_END)))
    text = encode_entries(entries).decode()
    frames = parse(text, splits)
    wanted = [(str(seq), event.event_name, event) for seq, event in enumerate(events, first) if event is not None]
    assert [(seq, name, decode_event(data)) for seq, name, data in frames[: len(wanted)]] == wanted
    assert [name for _, name, _ in frames[len(wanted) :]] == ["done"] * ended


@pytest.mark.slow
@given(st.lists(_EVENTS, min_size=1, max_size=8), st.data())
def test_batches_do_not_matter(events: list[Event], data: st.DataObject) -> None:
    entries = [Entry(seq, 0, "event", encode_event(event)) for seq, event in enumerate(events, 1)]
    cut = data.draw(st.integers(0, len(entries)))
    assert encode_entries(entries) == encode_entries(entries[:cut]) + encode_entries(entries[cut:])


def test_a_heartbeat_is_one_line_that_readers_pass_over() -> None:
    assert HEARTBEAT.startswith(b":")
    assert HEARTBEAT.count(b"\n") == 1
    assert HEARTBEAT.endswith(b"\n")
    frame = encode_entries([Entry(1, 0, "run.finished", encode_json(_END))])
    assert parse((HEARTBEAT + HEARTBEAT + frame).decode(), 0) == parse(frame.decode(), 0)
