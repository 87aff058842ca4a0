"""Farewells are taken out of what comes, wherever it is cut; and a line has its order."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm.wire.http2.frames import Farewell, FrameReader
from sentient_cli.llm.wire.waiting import Line

FRAMES = st.lists(st.tuples(st.sampled_from([0, 1, 4, 6, 7]), st.binary(min_size=8, max_size=300)), max_size=8)
CUTS = st.lists(st.integers(0, 3000), max_size=8)


def _frame(kind: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind]) + bytes(5) + body


def _read(data: bytes, cuts: list[int]) -> tuple[bytes, list[Farewell]]:
    reader, passed, farewells = FrameReader(), b"", list[Farewell]()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(places):
        whole, told = reader.read(data[begin:end])
        passed += whole
        farewells += told
    return passed, farewells


@given(FRAMES, CUTS)
def test_all_but_farewells_goes_on_as_it_came(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    passed, farewells = _read(b"".join(_frame(*each) for each in frames), cuts)
    assert passed == b"".join(_frame(kind, body) for kind, body in frames if kind != 7)
    parted = [body for kind, body in frames if kind == 7]
    assert [told.last for told in farewells] == [int.from_bytes(body[:4], "big") % 2**31 for body in parted]
    assert [told.code for told in farewells] == [int.from_bytes(body[4:8], "big") for body in parted]


@given(st.binary(max_size=200), CUTS)
def test_what_is_no_frame_goes_on_whole(data: bytes, cuts: list[int]) -> None:
    garbage = b"HTTP/1.1 400 No\r\n\r\n" + data
    assert _read(garbage, cuts) == (garbage, [])


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@given(st.lists(st.sampled_from(["come", "free", "leave"]), max_size=30))
async def test_everybody_has_a_turn_in_order_and_no_room_is_lost(steps: list[str]) -> None:
    line, free = Line(), 0
    served: list[int] = []
    waiting: dict[int, asyncio.Task[None]] = {}

    def take() -> bool | None:
        nonlocal free
        if not free:
            return None
        free -= 1
        return True

    async def come(number: int) -> None:
        assert await line.until(take, 60.0)
        served.append(number)

    for number, step in enumerate(steps):
        if step == "come":
            waiting[number] = asyncio.create_task(come(number))
        elif step == "free":
            free += 1
            line.wake()
        elif waiting:
            waiting.pop(next(iter(waiting))).cancel()
        await _turns(3 * (number % 2))
    await _turns(40)
    still = [number for number, task in waiting.items() if not task.done()]
    assert served == sorted(served)
    assert not (free and still)
    assert len(line) == len(still)
    for task in waiting.values():
        task.cancel()
    await asyncio.gather(*waiting.values(), return_exceptions=True)
    assert len(line) == 0
