"""The host's own threads are its own, however many of the loop's an agent holds."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sentient_cli.errors import OverloadedError
from sentient_cli.host.threads import Threads
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from tests.host.host_kit import hosting, request

_MANY = 64


async def test_agents_that_hold_all_threads_do_not_hold_what_is_stored() -> None:
    released = threading.Event()

    async def holding(session: Session, query: Query, response: Response) -> None:
        held = [asyncio.create_task(asyncio.to_thread(released.wait)) for _ in range(_MANY)]
        await response.text_block("HELD", "")
        await asyncio.gather(*held)

    async with hosting(holding) as host:
        run = await host.start_run(request("x"))
        try:
            while run.log.last_seq < 2:  # noqa: ASYNC110 - each turn of the loop brings it on
                await asyncio.sleep(0)
            assert await host.threads.run(len, b"abc") == 3
        finally:
            released.set()
        await run.wait()


async def test_closing_waits_for_what_goes_on() -> None:
    threads = Threads()
    begun, released = threading.Event(), threading.Event()

    def work(text: str) -> str:
        begun.set()
        released.wait()
        return text

    result = asyncio.create_task(threads.run(work, "x"))
    while not begun.is_set():  # noqa: ASYNC110 - a thread sets it
        await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(released.set)
    await threads.aclose()
    assert await result == "x"
    with pytest.raises(OverloadedError):
        await threads.run(len, b"")
    await threads.aclose()


async def test_closing_does_not_wait_for_ever() -> None:
    threads = Threads()
    released = threading.Event()
    result = asyncio.create_task(threads.run(lambda event: event.wait(), released))
    await asyncio.sleep(0)
    await threads.aclose(0)
    released.set()
    assert await result
