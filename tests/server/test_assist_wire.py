"""What goes over the wire in answer to ``POST /assist``, byte for byte."""

from __future__ import annotations

import re

import pytest

from tests.support.puppet import Puppet
from tests.support.served import Served
from tests.support.wire import ACTIVITY_ID, SOURCE, Frame, Wire, ask, ask_all, dig, fetch, fetch_json, session

pytestmark = pytest.mark.story("14.8", "F7")

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_COMMON = ["content_type", "event_name", "schema_version", "id", "source", "metadata"]
_MORE = {
    "atomic.textblock": ["content"],
    "atomic.json": ["content"],
    "chunked.text": ["stream_id", "is_complete", "content"],
    "atomic.error": ["content"],
    "atomic.done": [],
}


def check_shape(frames: list[Frame]) -> None:
    """What holds for every response."""
    assert [frame.event for frame in frames].count("done") == 1
    assert frames[-1].event == "done"
    seqs = [frame.id for frame in frames]
    assert seqs == sorted(set(seqs))
    ids = [str(frame.json["id"]) for frame in frames]
    assert ids == sorted(set(ids))
    for frame in frames:
        event = frame.json
        assert list(event) == [*_COMMON, *_MORE[str(event["content_type"])]]
        assert event["event_name"] == frame.event
        assert event["schema_version"] == "1.0"
        assert _ULID.fullmatch(str(event["id"]))


def test_every_event_has_the_fields_of_the_protocol_in_their_order(server: Served) -> None:
    frames = ask_all(server.address, "everything")
    check_shape(frames)
    assert {frame.json["source"] for frame in frames} == {SOURCE}
    kinds = [str(frame.json["content_type"]) for frame in frames]
    assert kinds[:2] == ["atomic.textblock", "atomic.json"]
    assert set(kinds) == set(_MORE)
    assert frames[0].json["metadata"] == {"step": 1, "of": 2.5, "last": False, "tags": ["a", "b"]}
    assert frames[1].content == {"results": [{"title": "x", "n": 1, "ok": None}]}
    assert frames[1].json["metadata"] is None


def test_streams_interleave_and_each_is_closed_once_before_the_end(server: Served) -> None:
    frames = ask_all(server.address, "everything")
    chunks = [frame.json for frame in frames if frame.json["content_type"] == "chunked.text"]
    texts: dict[str, str] = {}
    closed: list[str] = []
    for chunk in chunks:
        name = str(chunk["event_name"])
        assert name not in closed
        if chunk["is_complete"]:
            assert chunk["content"] == " "
            closed.append(name)
        else:
            texts[name] = texts.get(name, "") + str(chunk["content"])
    assert texts == {"FINAL RESPONSE": "Hello world", "NOTES": "HELLO WORLD!"}
    assert closed == ["FINAL RESPONSE", "NOTES"]
    assert len({chunk["stream_id"] for chunk in chunks}) == 2


def test_an_error_of_the_agents_own_does_not_end_the_run(server: Served) -> None:
    frames = ask_all(server.address, "everything")
    errors = [index for index, frame in enumerate(frames) if frame.event == "error"]
    assert len(errors) == 1
    content = {"error_message": "boom", "error_code": 503, "details": {"retry": True}}
    assert frames[errors[0]].content == content
    assert any(frame.event == "NOTES" for frame in frames[errors[0] :])


def test_the_frameworks_own_names(server: Served) -> None:
    frames = ask_all(server.address, "names hello")
    check_shape(frames)
    assert [frame.event for frame in frames] == [
        *("PLAN", "DATA", "FINAL_RESPONSE", "FINAL_RESPONSE", "error", "FINAL_RESPONSE", "done")
    ]
    assert dig(frames[4].json, "content", "error_code") == 418
    assert dig(frames[4].json, "content", "details") is None


def test_text_that_line_readers_would_split_is_escaped(server: Served) -> None:
    with Wire(server.address) as wire:
        body = ask(wire, "text").read()
    text = body.decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x85\u2028\u2029]", text)
    frames = ask_all(server.address, "text")
    check_shape(frames)
    assert frames[0].content == "a\x85b\u2028c\u2029d\r\ne\nf\x00g\x7f\u202e<é😀>"
    assert frames[1].content == {"k\u2028": ["\x85", "\u2029"]}
    assert "\\u2028" in frames[2].data
    # What httpx's readers, and so the public client's, take for lines are our lines.
    assert text.splitlines() == text.split("\n")[:-1]


def test_lone_surrogates_become_replacement_characters(server: Served) -> None:
    frames = ask_all(server.address, "surrogates")
    check_shape(frames)
    assert [frame.event for frame in frames] == ["TEXT", "JSON", "TEXT", "done"]
    assert frames[0].content == "a\ufffdb"
    assert frames[1].content == {"\ufffd": "x\ufffdy"}
    assert "\ud83d" not in str(frames[2].content)


def test_the_headers_of_an_answer(server: Served) -> None:
    with Wire(server.address) as wire:
        answer = ask(wire, "echo hi", headers={"X-Request-Id": "mine-1"})
        assert [frame.event for frame in answer.frames()] == ["ANSWER", "done"]
    headers = answer.headers
    assert headers["content-type"].split(";")[0] == "text/event-stream"
    assert {part.strip() for part in headers["cache-control"].split(",")} == {"no-cache", "no-transform"}
    assert headers["x-accel-buffering"] == "no"
    assert headers["content-location"] == f"/runs/{answer.run_id}/events"
    assert headers["x-request-id"] == "mine-1"
    assert re.fullmatch(r"[0-9a-f]{32}", answer.run_id)
    assert "server" not in headers


@pytest.mark.parametrize("given", ["a b", "x" * 65, "é", "a\tb", ""])
def test_a_request_id_that_could_do_harm_is_replaced(server: Served, given: str) -> None:
    answer, _ = fetch(server.address, "/health", headers={"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


@pytest.mark.parametrize("body", [b'{"query":{"id":"%b","prompt":"echo x"}%b}'])
@pytest.mark.parametrize("chat", [b"", b',"session":null'])
def test_without_a_session_one_is_made_and_named(server: Served, body: bytes, chat: bytes) -> None:
    data = body % (b"01JS4F4Z5V0000000000000001", chat)
    with Wire(server.address) as wire:
        answer = wire.request("POST", "/assist", {"Content-Type": "application/json"}, data)
        frames = list(answer.frames())
    check_shape(frames)
    assert _ULID.fullmatch(answer.headers["sentient-session"])
    assert {frame.json["source"] for frame in frames} == {"sentient"}


def test_the_session_that_the_client_sent_is_named(server: Served) -> None:
    with Wire(server.address) as wire:
        answer = ask(wire, "echo x")
        answer.read()
    assert answer.headers["sentient-session"] == ACTIVITY_ID


def test_a_question_ignores_a_last_event_id(server: Served) -> None:
    with Wire(server.address) as wire:
        frames = list(ask(wire, "echo x", headers={"Last-Event-ID": "99"}).frames())
    assert [frame.event for frame in frames] == ["ANSWER", "done"]


def test_each_event_is_sent_while_the_agent_goes_on(server: Served) -> None:
    with Puppet() as puppet, Wire(server.address) as wire:
        frames = ask(wire, puppet.prompt).frames()
        puppet.take()
        for word in ("one", "two", "three"):
            assert puppet.do("text", "SAID", word) == "ok"
            assert next(frames).content == word  # the agent does nothing until it is told to
        puppet.end()
        assert [frame.event for frame in frames] == ["done"]


def test_entries_that_are_no_events_leave_gaps(server: Served) -> None:
    with Puppet() as puppet, Wire(server.address) as wire:
        frames = ask(wire, puppet.prompt).frames()
        puppet.take()
        puppet.do("text", "A", "")
        puppet.do("log", "in between")
        puppet.do("text", "B", "")
        puppet.end()
        assert [(frame.id, frame.event) for frame in frames] == [(2, "A"), (4, "B"), (5, "done")]


def test_many_questions_on_one_connection(server: Served) -> None:
    with Wire(server.address) as wire:
        for number in range(20):
            frames = list(ask(wire, f"echo {number}").frames())
            assert frames[0].content == str(number)


def test_run_ids_cannot_be_guessed(server: Served) -> None:
    ids: list[str] = []
    for _ in range(8):
        with Wire(server.address) as wire:
            answer = ask(wire, "echo x")
            answer.read()
            ids.append(answer.run_id)
    numbers = [int(run_id, 16) for run_id in ids]
    assert len({number >> 96 for number in numbers}) == 8  # no prefix in common, so no clock and no counter


def test_what_a_run_is(server: Served) -> None:
    with Wire(server.address) as wire:
        answer = ask(wire, "echo x", session())
        frames = list(answer.frames())
    status, body = fetch_json(server.address, f"/runs/{answer.run_id}")
    assert status == 200
    assert (body["run"], body["status"], body["outcome"]) == (answer.run_id, "finished", "done")
    assert (body["first_seq"], body["last_seq"]) == (1, frames[-1].id)
