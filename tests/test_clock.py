"""The clock of runs: it goes on while the machine sleeps, and agrees with the wall and with all processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from sentient_cli.clock import SystemClock, uptime_ns


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such file")
def test_it_counts_from_the_start_of_the_machine_with_its_sleep() -> None:
    before = float(Path("/proc/uptime").read_text().split()[0])
    now = uptime_ns() / 1e9
    assert before - 1 <= now <= float(Path("/proc/uptime").read_text().split()[0]) + 1


def test_it_tells_the_time_of_the_wall() -> None:
    clock = SystemClock()
    assert time.time_ns() - 10**9 <= clock.now_ns() <= time.time_ns() + 10**9
