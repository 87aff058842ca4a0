"""Frames and messages between a hub and its workers."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.dev.channel import Channel, Frame, frame_head, send_now
from sentient_cli.dev.messages import (
    Begun,
    Cancel,
    Failed,
    Finished,
    FromWorker,
    Idle,
    Imported,
    Leave,
    Loaded,
    Problem,
    ReloadError,
    Retire,
    Stop,
    ToWorker,
    decode_from_worker,
    decode_to_worker,
    encode,
)
from sentient_cli.dev.processes.order import Order, decode_order, encode_order

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_lists = st.lists(_texts, max_size=3).map(tuple)
_files = st.lists(st.binary(min_size=1, max_size=40).map(os.fsdecode), max_size=3).map(tuple)
"""Names that may be no text."""
_numbers = st.floats(allow_nan=False, allow_infinity=False)
_problems = st.builds(
    Problem, code=_texts, what=_texts, why=_texts, excerpt=st.none() | _texts, line=st.none() | st.integers(1, 10**6)
)
_from_worker: st.SearchStrategy[FromWorker] = st.one_of(
    st.builds(Loaded, agent=_texts, files=_files, env_file=st.none() | _texts, warnings=_lists, address=_texts),
    st.builds(Failed, problem=_problems, files=_files),
    st.builds(Begun, run=_texts, prompt=_texts, session=_texts, query=_texts, at=st.integers(0, 2**62)),
    st.builds(
        Finished,
        run=_texts,
        outcome=_texts,
        events=st.integers(0, 10**9),
        first_ms=st.none() | _numbers,
        total_ms=_numbers,
        error=st.none() | _texts,
    ),
    st.builds(Imported, files=_files, installed=_lists),
    st.just(Idle()),
)
_to_worker: st.SearchStrategy[ToWorker] = st.one_of(
    st.sampled_from([Retire(), Leave(), Stop()]),
    st.builds(Cancel, reason=_texts),
    st.builds(ReloadError, generation=st.none() | st.integers(1, 10**9)),
)


@given(_from_worker)
def test_what_a_worker_says_arrives_as_it_was(message: FromWorker) -> None:
    assert decode_from_worker(encode(message)) == message


@pytest.mark.slow
@given(_to_worker)
def test_what_a_hub_says_arrives_as_it_was(message: ToWorker) -> None:
    assert decode_to_worker(encode(message)) == message


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4), st.text(max_size=8))
def test_an_order_keeps_names_that_are_no_text(environment: dict[str, str], home: str) -> None:
    order = Order(3, 1, home, None, "/runs", environment, {"server.port": 1, "agent": "a.py", "server.host": None})
    assert decode_order(encode_order(order)) == order


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=2000), st.binary(max_size=20)), max_size=10))
def test_frames_arrive_whole_and_in_order(frames: list[tuple[int, bytes, bytes]]) -> None:
    async def main() -> list[Frame]:
        here, there = socket.socketpair()
        sender, receiver = await Channel.over(here), await Channel.over(there)
        for kind, payload, head in frames:
            sender.send(payload, kind=kind, head=head)
        await sender.flush()
        sender.close()
        received: list[Frame] = []
        while frame := await receiver.receive():
            received.append(frame)
        receiver.close()
        return received

    assert asyncio.run(main()) == [Frame(kind, head + payload) for kind, payload, head in frames]


async def _received(data: bytes) -> Frame | None:
    here, there = socket.socketpair()
    receiver = await Channel.over(there)
    with here:
        here.sendall(data)
    try:
        return await receiver.receive()
    finally:
        receiver.close()


def test_a_frame_that_breaks_off_is_the_end() -> None:
    assert asyncio.run(_received(frame_head(0, 10) + b"short")) is None
    assert asyncio.run(_received(b"\0\0")) is None
    assert asyncio.run(_received(b"")) is None


def test_a_frame_that_claims_to_be_huge_is_the_end() -> None:
    assert asyncio.run(_received(b"\xff\xff\xff\xff\0")) is None


def test_a_message_can_be_sent_before_there_is_a_loop() -> None:
    here, there = socket.socketpair()
    with here:
        send_now(here, b"{}")

    async def main() -> Frame | None:
        receiver = await Channel.over(there)
        try:
            return await receiver.receive()
        finally:
            receiver.close()

    assert asyncio.run(main()) == Frame(0, b"{}")
