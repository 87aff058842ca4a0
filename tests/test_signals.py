"""Signals of a loop: heeded at once whatever the loop does, and given back."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest

from sentient_cli.signals import on_signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no signals between processes")


async def test_a_loop_that_waits_for_nothing_else_hears_a_signal_that_another_thread_took() -> None:
    """As one that comes just before the loop goes to sleep: the sleep itself is not interrupted."""
    told = asyncio.Event()

    def send() -> None:
        time.sleep(0.2)  # the loop sleeps by now
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    with on_signals([signal.SIGUSR1], told.set):
        thread = threading.Thread(target=send)
        thread.start()
        await told.wait()
    thread.join()


async def test_each_signal_counts_and_what_was_there_is_there_again() -> None:
    def mine(*_: object) -> None:
        raise AssertionError

    was = signal.signal(signal.SIGUSR1, mine)
    heard = asyncio.Semaphore(0)
    try:
        with on_signals([signal.SIGUSR1, signal.SIGUSR2], heard.release):
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                os.kill(os.getpid(), number)
                await heard.acquire()
        assert signal.getsignal(signal.SIGUSR1) is mine
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, was)


def test_outside_the_main_thread_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGINT)

    async def inside() -> bool:
        with on_signals([signal.SIGINT], lambda: None):
            return signal.getsignal(signal.SIGINT) is before

    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(asyncio.run(inside())))
    thread.start()
    thread.join()
    assert seen == [True]
