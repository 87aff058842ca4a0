"""What a process has used: CPU time and memory, from /proc."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["children", "cpu_seconds", "memory_bytes", "runs", "tree"]

_PROC = Path("/proc")
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE_FIELDS = ("Rss:", "Pss:", "Private_Dirty:", "Anonymous:")


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def tree(pid: int) -> list[int]:
    """A process and all that it started."""
    return [pid, *(below for child in children(pid) for below in tree(child))]


def runs(pid: int) -> bool:
    """Whether a process is there, and has not merely ended without anybody having asked how."""
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all that it started, user and system.

    The scheduler counts in nanoseconds per thread; where it does not tell, utime + stime are counted in ticks of 10 ms.

    Args:
        pid: The process; it must still run.
    """
    return sum(_own(one) for one in tree(pid))


def _own(pid: int) -> float:
    folder = _PROC / str(pid)
    ticks = _ticks(folder)
    try:
        nanoseconds = sum(int((task / "schedstat").read_text().split()[0]) for task in (folder / "task").iterdir())
    except (OSError, ValueError, IndexError):
        return ticks
    # A thread that ended is missing from the first sum and counted in the second, which lags by a tick a thread.
    return nanoseconds / 1e9 if nanoseconds / 1e9 > ticks - 0.05 else ticks


def _ticks(folder: Path) -> float:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    user, system, waited_user, waited_system = (int(field) for field in fields[11:15])
    return (user + system + waited_user + waited_system) / _TICK


def memory_bytes(pid: int) -> dict[str, int]:
    """Memory of one process by kind: ``Rss``, ``Pss``, ``Private_Dirty``, ``Anonymous``, in bytes.

    Args:
        pid: The process; it must still run.
    """
    sizes: dict[str, int] = {}
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(" ")
        if name in _PAGE_FIELDS:
            sizes[name.rstrip(":")] = int(rest.split()[0]) * 1024
    return sizes
