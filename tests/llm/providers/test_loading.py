"""The import of an SDK: in a thread that ends before the call that needed it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sentient_cli.llm.wire.loading import load


class _Slow:
    """What takes as long as it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.done = False

    def __call__(self) -> None:
        self.begun.set()
        self.go_on.wait()
        self.done = True

    def fail(self) -> None:
        self()
        raise ImportError("No SDK")


async def begun(slow: _Slow, *, fails: bool = False) -> asyncio.Task[None]:
    task = asyncio.create_task(load(slow.fail if fails else slow))
    await asyncio.to_thread(slow.begun.wait)
    return task


@pytest.mark.parametrize("fails", [False, True])
async def test_a_call_that_is_cancelled_ends_with_the_import(fails: bool) -> None:
    slow = _Slow()
    task = await begun(slow, fails=fails)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.done


async def test_a_call_that_is_cancelled_twice_ends_at_once() -> None:
    slow = _Slow()
    task = await begun(slow)
    for _ in range(2):
        task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
    assert task.cancelled()
    assert not slow.done
    slow.go_on.set()
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))  # the import ends by itself


async def test_other_calls_go_on_meanwhile_and_failures_are_told() -> None:
    slow = _Slow()
    task = await begun(slow, fails=True)
    slow.go_on.set()
    with pytest.raises(ImportError, match="No SDK"):
        await task
