"""What ``dev`` costs while nobody asks and nothing is saved: CPU time, and how often its threads wake up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.dev_server import Developed, launch
from bench.dev_tools import OURS
from bench.process import tree
from bench.ratio import spread
from bench.table import show

__all__ = ["run", "wake_ups"]

_SETTLED: Final = 2.0
_SECONDS: Final = 10.0
_VOLUNTARY: Final = "voluntary_ctxt_switches:"


def wake_ups(pid: int) -> int:
    """How often the threads of a process, and of all that it started, have gone to sleep so far.

    Args:
        pid: The process; it must still run.
    """
    return sum(_of_thread(task) for one in tree(pid) for task in Path(f"/proc/{one}/task").iterdir())


def _of_thread(task: Path) -> int:
    with contextlib.suppress(OSError):
        for line in (task / "status").read_text().splitlines():
            if line.startswith(_VOLUNTARY):
                return int(line.split()[1])
    return 0


def _idle(dev: Developed) -> tuple[float, float]:
    """CPU milliseconds and wake-ups of a second."""
    cpu, woken, began = dev.cpu, wake_ups(dev.process.pid), time.perf_counter()
    time.sleep(_SECONDS)
    seconds = time.perf_counter() - began
    return (dev.cpu - cpu) * 1e3 / seconds, (wake_ups(dev.process.pid) - woken) / seconds


def run(rounds: int) -> None:
    """Print the table."""
    with launch(OURS) as dev:
        time.sleep(_SETTLED)
        taken = [_idle(dev) for _ in range(rounds)]
    rows: list[Sequence[object]] = [
        ("CPU milliseconds a second", spread([cpu for cpu, _ in taken])),
        ("wake-ups a second", spread([woken for _, woken in taken])),
    ]
    show("Idle: `dev`, all its processes, nobody asks and nothing is saved", ("", "dev"), rows)
