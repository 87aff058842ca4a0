"""Connections that are kept beside a worker: wherever it ends, no client is told what is not so."""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.clock import SystemClock, SystemIds, Ulid, uptime_ns
from sentient_cli.dev.keeping import NO_PAGE, Kept
from sentient_cli.dev.kernel_counts import bytes_given, counts_are_true
from sentient_cli.dev.last_words import LastWords
from sentient_cli.server.ledger import Answering, Ledger, Page
from tests.dev.answer_kit import HEAD, decoded, linux, rest
from tests.support.wire import PATIENCE


@contextmanager
def _pair() -> Generator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection of TCP, the server's first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        server, _ = listener.accept()
        server.setblocking(False)
    with client, server:
        yield server, client


class _Ended:
    """An answer whose process ended: its writes, of which the kernel has taken so many bytes.

    Args:
        writes: Each of them whole: the head, frames, and perhaps the end.
        complete: Whether the last one is the end.
        taken: Bytes.
        ahead: How many writes more were noted at most.
    """

    def __init__(self, writes: list[bytes], *, complete: bool, taken: int, ahead: int) -> None:
        sizes = [len(b"".join(writes[: count + 1])) for count in range(len(writes))]
        self.noted = ahead + (1 + sum(size < taken for size in sizes) if taken else 0)
        self.ends = set(sizes[: len(writes) - complete])
        """After how many bytes something can follow."""
        with _pair() as (server, client):
            kept = Kept(2)
            assert kept.descriptor is not None
            ledger = Ledger.over(os.dup(kept.descriptor))
            page = Page(ledger, kept.keep(server))
            page.begin(Answering("run", "tests", chunked=True))
            for count, write in enumerate(writes[: self.noted]):
                if complete and count == len(writes) - 1:
                    page.end()
                elif count:
                    page.mark(count)
                page.wrote(len(write))
            server.sendall(b"".join(writes)[:taken])
            assert bytes_given(server) == taken
            assert kept.part(["run"], LastWords("It ended", is_crash=True)) == []
            self.told = rest(client)
            kept.close()
            ledger.close()


@linux
@given(
    frames=st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    complete=st.booleans(),
    ahead=st.integers(0, 7),
    data=st.data(),
)
def test_wherever_a_process_ends_its_client_gets_a_whole_answer_or_sees_that_it_is_none(
    frames: list[bytes], complete: bool, ahead: int, data: st.DataObject
) -> None:
    writes = [HEAD, *(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames), *[b"0\r\n\r\n"] * complete]
    whole = b"".join(writes)
    taken = data.draw(st.integers(0, len(whole)))
    ended = _Ended(writes, complete=complete, taken=taken, ahead=ahead)
    if not taken and ahead:  # it is not certain that nothing was written
        assert not ended.told
        return
    if not taken:
        assert ended.told.startswith(b"HTTP/1.1 500 ")
        assert json.loads(ended.told.partition(b"\r\n\r\n")[2])["code"] == "agent-crash"
        return
    assert ended.told.startswith(whole[:taken])
    assert (len(ended.told) > taken) == (taken in ended.ends)
    if taken in ended.ends:
        body = decoded(ended.told)
        sent = body[: body.index(b'data: {"content_type":"atomic.error"')].rpartition(b"id: ")[0]
        assert b"".join(frames).startswith(sent)
        assert body.count(b"\nevent: done\n") == 1
        assert body.endswith(b"}\n\n")


@linux
def test_runs_that_have_ended_and_answers_of_another_kind_get_no_words() -> None:
    for going_on, begins in (([], True), (["run"], False)):
        with _pair() as (server, client):
            kept = Kept(2)
            assert kept.descriptor is not None
            ledger = Ledger.over(os.dup(kept.descriptor))
            page = Page(ledger, kept.keep(server))
            if begins:
                page.begin(Answering("run", "tests", chunked=True))
            page.wrote(len(HEAD))
            server.sendall(HEAD)
            kept.part(going_on, LastWords("It ended", is_crash=True))
            assert rest(client) == HEAD
            kept.close()
            ledger.close()


@linux
def test_connections_beyond_the_pages_and_those_that_are_no_tcp_are_not_kept() -> None:
    with _pair() as (first, _one), _pair() as (second, _two):
        kept = Kept(1)
        here, there = socket.socketpair()
        with here, there:
            assert kept.keep(here) == NO_PAGE
        number = kept.keep(first)
        assert number == 0
        assert kept.keep(second) == NO_PAGE
        kept.forget(number)
        assert kept.keep(second) == number
        kept.close()
        assert kept.keep(first) == NO_PAGE


@pytest.mark.parametrize("hours", [-5, 0, 5])
def test_ids_follow_those_of_the_process_whatever_its_clock_says(hours: int) -> None:
    clock = SystemClock()
    lead = clock.now_ns() - uptime_ns() + hours * 3600 * 10**9
    last = SystemIds(clock).ulid_bytes(uptime_ns() + lead).decode()
    frames = LastWords("It ended", is_crash=True).ending(Answering("run", "tests", chunked=False, lead=lead), 1)
    ids = [json.loads(line[5:])["id"] for line in frames.decode().splitlines() if line.startswith("data:")]
    assert [last, *ids] == sorted([last, *ids])
    assert Ulid(ids[1]).milliseconds - Ulid(last).milliseconds < 60_000


@linux
def test_a_system_that_only_says_that_it_counts_gets_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counts_are_true()

    def nothing(_connection: socket.socket) -> int:
        return 0

    monkeypatch.setattr("sentient_cli.dev.kernel_counts._acknowledged", nothing)
    counts_are_true.cache_clear()
    try:
        assert not counts_are_true()
        with _pair() as (server, client):
            kept = Kept(1)
            assert kept.descriptor is not None
            ledger = Ledger.over(os.dup(kept.descriptor))
            page = Page(ledger, kept.keep(server))
            page.begin(Answering("run", "tests", chunked=True))
            page.wrote(len(HEAD))
            server.sendall(HEAD)
            kept.part(["run"], LastWords("It ended", is_crash=True))
            assert rest(client) == HEAD
            kept.close()
            ledger.close()
    finally:
        counts_are_true.cache_clear()


@linux
def test_a_page_is_another_connections_once_it_was_given_back() -> None:
    with _pair() as (first, _one), _pair() as (second, client):
        kept = Kept(1)
        assert kept.descriptor is not None
        ledger = Ledger.over(os.dup(kept.descriptor))
        late = Page(ledger, kept.keep(first))
        late.begin(Answering("late", "tests", chunked=True))
        late.close()
        kept.sweep()
        page = Page(ledger, kept.keep(second))
        page.begin(Answering("run", "tests", chunked=True))
        page.wrote(len(HEAD))
        second.sendall(HEAD)
        late.begin(Answering("late", "tests", chunked=False))
        late.wrote(len(HEAD))
        late.close()
        kept.part(["run", "late"], LastWords("It ended", is_crash=True))
        assert b"event: done" in decoded(rest(client))
        kept.close()
        ledger.close()


@linux
def test_nobody_can_take_the_ledger_from_under_its_reader() -> None:
    kept = Kept(1)
    assert kept.descriptor is not None
    for size in (0, 1 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(kept.descriptor, size)
    chance = random.Random(1)
    with _pair() as (server, client):
        number = kept.keep(server)
        ledger = Ledger.over(os.dup(kept.descriptor))
        ledger.memory[:] = chance.randbytes(len(ledger.memory))
        ledger.memory[number] = 1
        server.sendall(b"HTTP/1.1 200 OK\r\n")
        kept.part(["run"], LastWords("It ended", is_crash=True))
        assert rest(client) == b"HTTP/1.1 200 OK\r\n", "what is no ledger leads to no words"
        ledger.close()
    kept.close()
