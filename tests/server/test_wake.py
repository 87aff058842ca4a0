"""The bell of a connection: no ring is lost, and silence and stuck sends are noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.server.wake import Wake

_NEVER = 3600.0


@contextmanager
def waking(heartbeat: float = _NEVER, send_timeout: float = _NEVER) -> Generator[Wake]:
    wake = Wake(heartbeat, send_timeout)
    try:
        yield wake
    finally:
        wake.close()


@given(st.lists(st.sampled_from(["ring", "wait", "turn"]), max_size=20))
async def test_every_ring_ends_a_wait_and_a_wait_needs_a_ring(steps: list[str]) -> None:
    with waking() as wake:
        rung = False
        waiting: asyncio.Task[bool] | None = None
        for step in steps:
            if step == "ring":
                wake.ring()
                rung = True
            elif step == "wait" and waiting is None:
                waiting = asyncio.create_task(wake.wait())
            for _ in range(3):
                await asyncio.sleep(0)
            if waiting is not None:
                assert waiting.done() == rung
                if rung:
                    assert waiting.result() is True
                    waiting, rung = None, False
        if waiting is not None:
            wake.ring()
            assert await waiting is True


async def test_silence_is_a_heartbeat_each_time() -> None:
    with waking(heartbeat=0.01) as wake:
        assert [await wake.wait() for _ in range(3)] == [False] * 3
        assert not wake.left


async def test_leaving_rings() -> None:
    with waking() as wake:
        waiting = asyncio.create_task(wake.wait())
        await asyncio.sleep(0)
        wake.leave()
        assert await waiting is True
        assert wake.left


async def _send_for_ever(wakes: list[Wake]) -> None:
    with waking(send_timeout=0.01) as wake:
        wakes.append(wake)
        wake.begin_send()
        await asyncio.Event().wait()


async def test_a_send_that_takes_too_long_is_cancelled() -> None:
    wakes: list[Wake] = []
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(_send_for_ever(wakes))
    assert wakes[0].slow


async def test_a_send_that_ends_in_time_is_not() -> None:
    with waking(heartbeat=0.05, send_timeout=0.01) as wake:
        wake.begin_send()
        wake.end_send()
        assert await wake.wait() is False
        assert not wake.slow


async def test_a_wait_can_be_cancelled_and_begun_again() -> None:
    with waking() as wake:
        waiting = asyncio.create_task(wake.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        wake.ring()
        assert await wake.wait() is True
