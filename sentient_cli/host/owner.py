"""Which process a run belongs to, so that another one can tell whether it may still go on."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path

__all__ = ["has_ended", "this_process"]

_PROC = Path("/proc")
_AFTER_NAME = 19
"""The place of the start time among the fields of ``stat`` behind the name, as proc(5) counts them."""


def this_process() -> str:
    """A name of this process that no other one of this machine has, now or later, as far as the system tells.

    Example:
        >>> machine, pid, start = this_process().split(":")
        >>> pid == str(os.getpid()), has_ended(this_process())
        (True, False)
    """
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_start_of(pid)}"


def has_ended(process: str) -> bool:
    """Whether a process is certainly gone. One of another machine or container, or of a system that does not tell: no.

    Args:
        process: What `this_process` said in it.
    """
    machine, pid, start = (*process.split(":"), "", "")[:3]
    if not machine or not start or machine != _machine():
        return False
    return not pid.isdecimal() or _start_of(int(pid)) != start


@cache
def _machine() -> str:
    """This boot of this machine, and which processes can be seen from here; empty where the system does not tell."""
    with contextlib.suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}".replace(":", "")
    return ""


def _start_of(pid: int) -> str:
    """When a process started, in the kernel's own count; empty when there is none, or the system does not tell."""
    with contextlib.suppress(OSError, IndexError):
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[_AFTER_NAME]
    return ""
