"""Runs outlive their connections: watched, resumed from a cursor, left alone, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.puppet import Puppet
from tests.support.served import Served, serve
from tests.support.wire import Answer, Frame, Wire, ask, dig, fetch, fetch_json, wait_finished

pytestmark = pytest.mark.story("14.8")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose runs go on without their clients."""
    with serve(tmp_path_factory.mktemp("home"), "--on-disconnect", "continue", "--disconnect-grace", 0) as served:
        yield served


@pytest.fixture(scope="module")
def finished(server: Served) -> tuple[str, list[Frame]]:
    """A run that has ended, with its frames."""
    with Wire(server.address) as wire:
        answer = ask(wire, "count 20")
        return answer.run_id, list(answer.frames())


def watch(wire: Wire, run_id: str, after: object = None, *, header: str | None = None) -> Answer:
    query = "" if after is None else f"?after={after}"
    return wire.request("GET", f"/runs/{run_id}/events{query}", {} if header is None else {"Last-Event-ID": header})


def test_a_finished_run_is_read_again_to_the_byte(server: Served, finished: tuple[str, list[Frame]]) -> None:
    run_id, frames = finished
    with Wire(server.address) as wire:
        answer = watch(wire, run_id)
        assert list(answer.frames()) == frames
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.run_id == run_id


@pytest.mark.parametrize("by", ["query", "header"])
def test_a_run_is_resumed_after_any_of_its_events(server: Served, finished: tuple[str, list[Frame]], by: str) -> None:
    run_id, frames = finished
    for index, frame in enumerate(frames[:-1]):
        with Wire(server.address) as wire:
            cursor = str(frame.id)
            answer = watch(wire, run_id, cursor) if by == "query" else watch(wire, run_id, header=cursor)
            assert list(answer.frames()) == frames[index + 1 :]


def test_the_header_wins_over_the_query(server: Served, finished: tuple[str, list[Frame]]) -> None:
    run_id, frames = finished
    with Wire(server.address) as wire:
        assert list(watch(wire, run_id, 0, header=str(frames[-2].id)).frames()) == frames[-1:]


def test_after_the_end_there_is_nothing(server: Served, finished: tuple[str, list[Frame]]) -> None:
    run_id, frames = finished
    with Wire(server.address) as wire:
        answer = watch(wire, run_id, frames[-1].id)
        assert (answer.status, answer.read()) == (204, b"")
        assert wire.request("GET", "/health/live").status == 200  # the connection can be used again


@pytest.mark.slow
@pytest.mark.parametrize(
    "cursor", ["-1", "1.5", "x", "", "%00", "1%20", "+1", "9" * 19, "1e3", "0x1", "%D9%A1", "1,2", "null", "9" * 5000]
)
def test_a_cursor_that_is_none(server: Served, finished: tuple[str, list[Frame]], cursor: str) -> None:
    status, body = fetch_json(server.address, f"/runs/{finished[0]}/events?after={cursor}")
    assert (status, body["code"]) == (400, "cursor")


@pytest.mark.parametrize("cursor", ["-1", "x", "9" * 18, "1 2", "\u0661"])
def test_a_last_event_id_that_is_none(server: Served, finished: tuple[str, list[Frame]], cursor: str) -> None:
    header = {"Last-Event-ID": cursor.encode().decode("latin-1")}
    status, body = fetch_json(server.address, f"/runs/{finished[0]}/events", headers=header)
    assert (status, body["code"]) == (400, "cursor")


def test_a_cursor_of_the_future(server: Served, finished: tuple[str, list[Frame]]) -> None:
    run_id, frames = finished
    status, body = fetch_json(server.address, f"/runs/{run_id}/events?after={frames[-1].id + 1}")
    assert (status, body["code"]) == (400, "cursor")


def test_a_head_of_events_has_no_body(server: Served, finished: tuple[str, list[Frame]]) -> None:
    with Wire(server.address) as wire:
        assert wire.request("HEAD", f"/runs/{finished[0]}/events").status == 200
        assert wire.request("GET", "/health/live").status == 200


def test_a_run_is_watched_live_by_several(server: Served) -> None:
    with Puppet() as puppet, Wire(server.address) as asking, Wire(server.address) as one, Wire(server.address) as two:
        answer = ask(asking, puppet.prompt)
        puppet.take()
        puppet.do("text", "A", "1")
        readers = [answer.frames(), watch(one, answer.run_id).frames(), watch(two, answer.run_id, 1).frames()]
        assert {next(reader).event for reader in readers} == {"A"}
        puppet.do("text", "B", "2")
        assert {next(reader).event for reader in readers} == {"B"}
        puppet.end()
        assert [[frame.event for frame in reader] for reader in readers] == [["done"]] * 3


def test_a_broken_connection_resumes_within_the_grace(tmp_path: Path) -> None:
    with serve(tmp_path, "--disconnect-grace", 60) as server, Puppet() as puppet:
        with Wire(server.address) as wire:
            answer = ask(wire, puppet.prompt)
            puppet.take()
            puppet.do("text", "A", "")
            seen = next(answer.frames()).id
        with Wire(server.address) as wire:
            frames = watch(wire, answer.run_id, seen).frames()
            puppet.do("text", "B", "")
            assert next(frames).event == "B"
            puppet.end()
            assert [frame.event for frame in frames] == ["done"]
        assert wait_finished(server.address, answer.run_id)["outcome"] == "done"


def test_a_client_that_leaves_ends_its_run(server: Served) -> None:
    with Puppet() as puppet:
        with Wire(server.address) as wire:
            answer = ask(wire, puppet.prompt)
            puppet.take()
        assert puppet.hear() == "cancelled"
        assert wait_finished(server.address, answer.run_id)["outcome"] == "cancelled"
    with Wire(server.address) as wire:
        frames = list(watch(wire, answer.run_id).frames())
    assert [frame.event for frame in frames] == ["error", "done"]
    assert dig(frames[0].json, "content", "error_code") == 499


def test_a_watcher_that_leaves_ends_nothing(server: Served) -> None:
    with Puppet() as puppet, Wire(server.address) as asking:
        frames = ask(asking, puppet.prompt)
        puppet.take()
        with Wire(server.address) as watching:
            watched = watch(watching, frames.run_id).frames()
            puppet.do("text", "A", "")
            assert next(watched).event == "A"
        puppet.do("text", "B", "")
        puppet.end()
        assert [frame.event for frame in frames.frames()] == ["A", "B", "done"]


def test_a_watcher_keeps_a_run_alive_whose_client_left(server: Served) -> None:
    with Puppet() as puppet, Wire(server.address) as watching:
        with Wire(server.address) as asking:
            answer = ask(asking, puppet.prompt)
            puppet.take()
            puppet.do("text", "A", "")
            watched = watch(watching, answer.run_id).frames()
            assert next(watched).event == "A"
        server.wait_record(path="/assist", run_id=answer.run_id)
        puppet.do("text", "B", "")
        assert next(watched).event == "B"
        puppet.end()
        assert next(watched).event == "done"


def test_the_last_watcher_that_leaves_ends_an_orphaned_run(server: Served) -> None:
    with Puppet() as puppet:
        with Wire(server.address) as watching:
            with Wire(server.address) as asking:
                answer = ask(asking, puppet.prompt)
                puppet.take()
                watched = watch(watching, answer.run_id).frames()
                puppet.do("text", "A", "")
                assert next(watched).event == "A"
            server.wait_record(path="/assist", run_id=answer.run_id)
        assert puppet.hear() == "cancelled"


def test_a_run_goes_on_without_its_client_when_told_to(patient: Served) -> None:
    with Puppet() as puppet:
        with Wire(patient.address) as wire:
            answer = ask(wire, puppet.prompt)
            puppet.take()
        patient.wait_record(path="/assist", run_id=answer.run_id)
        assert puppet.do("text", "A", "alone") == "ok"
        puppet.end()
        assert wait_finished(patient.address, answer.run_id)["outcome"] == "done"
    with Wire(patient.address) as wire:
        assert [frame.event for frame in watch(wire, answer.run_id).frames()] == ["A", "done"]


def test_a_run_is_cancelled(server: Served) -> None:
    with Puppet() as puppet, Wire(server.address) as wire:
        answer = ask(wire, puppet.prompt)
        puppet.take()
        path = f"/runs/{answer.run_id}/cancel"
        status, body = fetch_json(server.address, path, "POST")
        assert (status, body["status"], body["outcome"]) == (202, "cancelling", None)
        assert puppet.hear() == "cancelled"
        frames = list(answer.frames())
        assert [frame.event for frame in frames] == ["error", "done"]
        assert dig(frames[0].json, "content", "error_code") == 499
        status, body = fetch_json(server.address, path, "POST")
        assert (status, body["status"], body["outcome"]) == (200, "finished", "cancelled")


def test_cancelling_twice_is_fine(patient: Served) -> None:
    with Wire(patient.address) as wire:
        answer = ask(wire, "never")
        frames = answer.frames()
        assert next(frames).event == "OPEN"
        for _ in range(3):
            assert fetch_json(patient.address, f"/runs/{answer.run_id}/cancel", "POST")[0] in {200, 202}
        assert [frame.event for frame in frames] == ["OPEN", "error", "done"]


def test_a_finished_run_cannot_be_cancelled(server: Served, finished: tuple[str, list[Frame]]) -> None:
    status, body = fetch_json(server.address, f"/runs/{finished[0]}/cancel", "POST")
    assert (status, body["outcome"]) == (200, "done")


def test_only_so_many_finished_runs_are_kept(tmp_path: Path) -> None:
    with serve(tmp_path, env={"SENTIENT_SERVER_KEEP_RUNS": "2"}) as server:
        ids: list[str] = []
        for _ in range(4):
            with Wire(server.address) as wire:
                answer = ask(wire, "echo x")
                answer.read()
                ids.append(answer.run_id)
        statuses = [fetch(server.address, f"/runs/{run_id}")[0].status for run_id in ids]
        assert statuses == [404, 404, 200, 200]


@pytest.mark.parametrize("store", ["sqlite:runs.db", "file:runs"])
def test_a_stored_run_outlives_memory_and_the_server(tmp_path: Path, store: str) -> None:
    flags = ["--store", store, "--drain-delay", 0]
    with serve(tmp_path, *flags, env={"SENTIENT_SERVER_KEEP_RUNS": "0"}) as server, Wire(server.address) as wire:
        answer = ask(wire, "count 600")
        frames = list(answer.frames())
    with serve(tmp_path, *flags) as server:
        with Wire(server.address) as wire:
            assert list(watch(wire, answer.run_id).frames()) == frames
            assert list(watch(wire, answer.run_id, frames[300].id).frames()) == frames[301:]
            assert watch(wire, answer.run_id, frames[-1].id).status == 204
        assert fetch_json(server.address, f"/runs/{answer.run_id}/events?after=99999")[0] == 400


def test_nonsense_beside_a_good_cursor(server: Served, finished: tuple[str, list[Frame]]) -> None:
    path = f"/runs/{finished[0]}/events?after=%27"
    status, body = fetch_json(server.address, path, headers={"Last-Event-ID": "1"})
    assert (status, body["code"]) == (400, "cursor")
