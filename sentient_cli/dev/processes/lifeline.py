"""No process outlives the one it was made for, however that one ends. What needs Linux does nothing elsewhere."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

__all__ = ["adopt_orphans", "die_with", "threads_of_this_process"]

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


def _prctl(option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)


def adopt_orphans() -> bool:
    """Have processes whose parent ends become children of this one; return whether the system does that."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Have the system kill this process when its parent ends.

    Args:
        parent: The process that has to be the parent; when it is not, it is gone already, and so is this one.
    """
    if _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) and os.getppid() != parent:
        os._exit(0)


def threads_of_this_process() -> int:
    """How many threads this process has, those of libraries without Python too; 1 where the system does not tell."""
    tasks = Path("/proc/self/task")
    count = 0
    for _ in range(5):  # one that is ending is still listed for a moment
        try:
            count = len(list(tasks.iterdir()))
        except OSError:
            return threading.active_count()
        if count == 1:
            break
        time.sleep(0.01)
    return count
