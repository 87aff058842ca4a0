"""No thread outlives the test that started it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

_PATIENCE = 5.0
"""Seconds that a thread on its way out is waited for; a healthy test never waits."""


@pytest.fixture(autouse=True)
def no_leaked_threads(isolated: None) -> Iterator[None]:
    """Fail a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join(_PATIENCE)
    left = [thread.name for thread in started if thread.is_alive()]
    if left:
        pytest.fail(f"threads left running: {', '.join(sorted(left))}")
