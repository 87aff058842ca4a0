"""Notices at once when a child process ends, and leaves no zombie: those of orphans that were adopted neither."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from typing import Final

__all__ = ["Reaper", "ending"]

_LOOK_EVERY: Final = 0.5
_REMEMBERED: Final = 256


def ending(status: int) -> str:
    """How a process ended, for people.

    Args:
        status: An exit code; negative: the number of the signal that killed it.

    Example:
        >>> ending(3), ending(-9)
        ('exit code 3', 'killed by SIGKILL')
    """
    import signal  # noqa: PLC0415 - only then

    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


class Reaper:
    """Waits for the children of this process. For one event loop; there is one in a process."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._descriptors: dict[int, int] = {}
        self._ended: OrderedDict[int, int] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._look()

    def wait(self, pid: int) -> asyncio.Future[int]:
        """What a child ends with: an exit code, or minus the number of a signal."""
        found = self._loop.create_future()
        if pid in self._ended:
            found.set_result(self._ended.pop(pid))
            return found
        self._waiting[pid] = found
        try:
            descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):  # another system; or it has ended: the next look finds it
            return found
        self._descriptors[pid] = descriptor
        self._loop.add_reader(descriptor, self.sweep)
        return found

    def _look(self) -> None:
        self.sweep()
        self._timer = self._loop.call_later(_LOOK_EVERY, self._look)

    def sweep(self) -> None:
        """Collect every child that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._collect(pid, os.waitstatus_to_exitcode(status))

    def _collect(self, pid: int, status: int) -> None:
        descriptor = self._descriptors.pop(pid, None)
        if descriptor is not None:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        found = self._waiting.pop(pid, None)
        if found is None:
            self._ended[pid] = status
            if len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)
        elif not found.done():
            found.set_result(status)

    def close(self) -> None:
        """Wait for nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        for descriptor in self._descriptors.values():
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        self._descriptors.clear()
        for found in self._waiting.values():
            found.cancel()
