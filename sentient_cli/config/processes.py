"""Which process is which: a number that is given again and again, and the moment at which its owner started."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["ProcessState", "state_of", "this_process"]

ProcessState: TypeAlias = Literal["running", "gone", "elsewhere"]
"""``elsewhere``: a process of another machine, boot or container, of which nothing can be said from here."""

_PROC = Path("/proc")
_AFTER_NAME = 19
"""The place of the start time among the fields of ``stat`` behind the name, as proc(5) counts them."""
_PATIENCE = 5.0


def this_process() -> str:
    """A name of this process that no other one has, now or later.

    Example:
        >>> state_of(this_process())
        'running'
    """
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_start_of(pid)}"


def state_of(process: str) -> ProcessState:
    """What has become of a process.

    Args:
        process: What `this_process` said in it.

    Example:
        >>> machine, pid, _ = this_process().split(":")
        >>> state_of(f"{machine}:{pid}:another-start"), state_of("another-machine:1:1")
        ('gone', 'elsewhere')
    """
    machine, pid, start = (*process.split(":", 2), "", "")[:3]
    if not machine or machine != _machine():
        return "elsewhere"
    return "running" if start and pid.isdecimal() and _start_of(int(pid)) == start else "gone"


@cache
def _machine() -> str:
    """This boot of this machine, and which processes can be seen from here."""
    with contextlib.suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}".replace(":", "")
    return platform.node().replace(":", "") or "here"


def _start_of(pid: int) -> str:
    """When a process started, in the system's own way to say it; empty when there is none. A zombie has ended."""
    with contextlib.suppress(OSError, IndexError):
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in {"Z", "X"} else fields[_AFTER_NAME]
    return "" if (_PROC / "self").exists() else _start_by_system(pid)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
    _ALIVE = 259

    def _start_by_system(pid: int) -> str:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = wintypes.HANDLE
        handle = wintypes.HANDLE(kernel.OpenProcess(_QUERY, False, pid))
        if not handle:
            return ""
        try:
            times = [wintypes.FILETIME() for _ in range(4)]
            known = kernel.GetProcessTimes(handle, *map(ctypes.byref, times))
            code = wintypes.DWORD()
            ended = kernel.GetExitCodeProcess(handle, ctypes.byref(code)) and code.value != _ALIVE
            return "" if not known or ended else str((times[0].dwHighDateTime << 32) + times[0].dwLowDateTime)
        finally:
            kernel.CloseHandle(handle)

else:

    def _start_by_system(pid: int) -> str:
        command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(  # noqa: S603 - a fixed command
                command, capture_output=True, text=True, timeout=_PATIENCE, check=False, env={"LC_ALL": "C"}
            )
            return " ".join(done.stdout.split()).replace(":", ".")
        return ""
