"""Notices that the process of the code takes more and more memory, so that another one can take its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.dev.report import Notice

if TYPE_CHECKING:
    from sentient_cli.dev.generations import Generations
    from sentient_cli.dev.members import Member

__all__ = ["Growth", "memory_of"]

_MIB: Final = 1024 * 1024
_LOOK_EVERY: Final = 4
"""Times that it is asked to one look: the system takes a while to add up the memory of a process."""
_COUNTED: Final = ("RssAnon:", "VmSwap:")
"""What proc(5) calls the memory that is a process's own: files that it has mapped are in nobody's way."""


def memory_of(pid: int) -> int | None:
    """How many bytes of memory a process has of its own; None: it is gone, or this system does not tell.

    Args:
        pid: The process.

    Example:
        >>> import os, sys
        >>> found = memory_of(os.getpid())
        >>> sys.platform != "linux" or (found is not None and found > 1_000_000)
        True
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_COUNTED))
    except (OSError, ValueError, IndexError):
        return None


class Growth:
    """Knows how much memory the generation that answers had when it began to.

    Args:
        bound: Bytes that one may take beyond that; 0: any.
        memory: Tells how much a process has.
    """

    def __init__(self, bound: int, memory: Callable[[int], int | None] = memory_of) -> None:
        self._bound = bound
        self._memory = memory
        self._generation = 0
        self._began: int | None = None
        self._asked = 0

    def begin(self, generation: int, pid: int) -> None:
        """Remember how much the process of a generation has as it begins to answer.

        Args:
            generation: Which one.
            pid: Its process.
        """
        self._generation, self._began = generation, self._memory(pid)

    def too_much(self, generations: Generations, members: Mapping[int, Member]) -> Notice | None:
        """What is to be said when the generation that answers has grown beyond the bound and has nothing to do.

        To be asked about twice a second; it looks each fourth time.

        Args:
            generations: Which one answers.
            members: Their processes.
        """
        current = generations.current
        member = None if current is None else members.get(current)
        if current is None or member is None or not self._bound:
            return None
        if current != self._generation:
            self.begin(current, member.pid)
        if member.runs or generations.loading is not None or generations.broken is not None:
            return None  # code that does not load could not take its place
        self._asked += 1
        now = None if self._asked % _LOOK_EVERY else self._memory(member.pid)
        if now is None or self._began is None or now - self._began <= self._bound:
            return None
        return Notice(
            f"The process of the code has grown by {(now - self._began) // _MIB:,} MiB since it began;"
            " a fresh one takes its place",
            f"Find what the agent keeps from run to run, or raise `dev.grow_bytes` ({self._bound:,})",
        )
