"""Notices at once when a child process ends, ends what it leaves behind, and leaves no zombie: of orphans neither."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["Child", "Reaper", "ending"]

_LOOK_EVERY: Final = 0.5
_REMEMBERED: Final = 256
_GRACE: Final = 0.5
"""Seconds that what a child leaves behind may take to end when it is asked to."""
_AGAIN: Final = 0.02


def ending(status: int) -> str:
    """How a process ended, for people.

    Args:
        status: An exit code; negative: the number of the signal that killed it.

    Example:
        >>> ending(3), ending(-9)
        ('exit code 3', 'killed by SIGKILL')
    """
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


class Child:
    """A child of this process, with those that it starts in the session that it leads.

    Args:
        pid: The process.
        loop: Waits for it.
    """

    def __init__(self, pid: int, loop: asyncio.AbstractEventLoop) -> None:
        self.pid: int = pid
        self.ended: asyncio.Future[int] = loop.create_future()
        """Gets what it ends with: an exit code, or minus the number of a signal."""
        self.collected: asyncio.Future[None] = loop.create_future()
        """Done once nothing is left of it."""

    @property
    def gone(self) -> bool:
        """Whether its number may be another's by now."""
        return self.collected.done()

    def kill(self) -> None:
        """End it, and what it has started; once it is gone, nothing."""
        self.signal(signal.SIGKILL)
        if not self.gone:  # as long as it leads no session, there is no such group
            _send(os.kill, self.pid, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and what it has started."""
        if not self.gone:
            _send(os.killpg, self.pid, number)


def _send(send: Callable[[int, int], None], pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send(pid, number)


class Reaper:
    """Waits for the children of this process. For one event loop; there is one in a process.

    A child that has ended stays a zombie until what it has left behind is ended too: as long as it is there, no other
    process gets its number, nor a group of processes.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._children: dict[int, Child] = {}
        self._descriptors: dict[int, int] = {}
        self._strangers: set[int] = set()
        self._collected: OrderedDict[int, int] = OrderedDict()
        self._timers: set[asyncio.TimerHandle] = set()
        self._look()

    def watch(self, pid: int) -> Child:
        """See a child to its end.

        Args:
            pid: The process: a child of this one, or about to be.
        """
        child = Child(pid, self._loop)
        status = self._collected.pop(pid, None)
        if status is not None and _session(pid) is None:  # else the number is another's by now
            child.ended.set_result(status)
            child.collected.set_result(None)
            return child
        self._children[pid] = child
        try:
            descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):  # another system, or no descriptor is left: the next look finds its end
            return child
        self._descriptors[pid] = descriptor
        self._loop.add_reader(descriptor, self._see, child)
        return child

    async def settle(self, patience: float) -> None:
        """Wait until those that have ended have left nobody behind.

        Args:
            patience: Seconds, at most.
        """
        going = [child.collected for child in self._children.values() if child.ended.done()]
        if going:
            await asyncio.wait(going, timeout=patience)

    def close(self) -> None:
        """Wait for nobody any more; what they have left behind is killed."""
        for timer in self._timers:
            timer.cancel()
        for child in list(self._children.values()):
            self._let_go(child)
            if child.ended.done() or _status(child.pid) is not None:
                self._collect(child)

    # -- children ----------------------------------------------------------------------------------------------------

    def _see(self, child: Child) -> None:
        """Look whether a child has ended."""
        if child.ended.done():
            return
        status = _status(child.pid)
        if status is None:
            return
        self._let_go(child)
        child.ended.set_result(status)
        child.signal(signal.SIGTERM)
        self._clear(child, self._loop.time() + _GRACE)

    def _let_go(self, child: Child) -> None:
        descriptor = self._descriptors.pop(child.pid, None)
        if descriptor is not None:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)

    def _clear(self, child: Child, until: float) -> None:
        """Let go of a child that has ended as soon as nobody of its session is left."""
        if self._leaves_somebody(child.pid) and self._loop.time() < until:
            self._later(_AGAIN, lambda: self._clear(child, until))
        else:
            self._collect(child)

    def _collect(self, child: Child) -> None:
        child.kill()
        child.collected.set_result(None)
        del self._children[child.pid]
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child.pid, os.WNOHANG)

    def _leaves_somebody(self, session: int) -> bool:
        """Whether a process of a session is a child of this one: who has lost its parent becomes one."""
        return any(pid != session and _session(pid) == session and _status(pid) is None for pid in _children())

    # -- strangers ---------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if _has_somebody_ended():
            for child in list(self._children.values()):
                self._see(child)
            self._reap_strangers()
        else:
            self._strangers.clear()
        self._later(_LOOK_EVERY, self._look)

    def _reap_strangers(self) -> None:
        """Collect orphans that have ended.

        Whoever runs a program in this process, by `subprocess` for one, waits for it: what is of this session is left
        alone, and of others what nobody has collected in the time between two looks is nobody's.
        """
        ended = set(self._ended_strangers())
        for pid in ended & self._strangers:
            with contextlib.suppress(ChildProcessError):
                _, status = os.waitpid(pid, os.WNOHANG)
                self._collected[pid] = os.waitstatus_to_exitcode(status)
        while len(self._collected) > _REMEMBERED:
            self._collected.popitem(last=False)
        self._strangers = ended

    def _ended_strangers(self) -> Iterator[int]:
        ours = os.getsid(0)
        for pid in _children():
            if pid not in self._children and _session(pid) != ours and _status(pid) is not None:
                yield pid

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            work()

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)


def _has_somebody_ended() -> bool:
    """Whether a child of this process is a zombie, in one question for all of them."""
    if not hasattr(os, "waitid"):  # another system
        return True
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # there is none
        return False


def _children() -> list[int]:
    """The children of this process's first thread, to which orphans come; none where the system does not tell."""
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return []


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _status(pid: int) -> int | None:
    """What a child has ended with, which is a zombie then and stays one; None as long as it runs."""
    if not hasattr(os, "waitid"):  # another system: there it is collected at once
        found, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if found else None
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # it could not become one: nobody learns what it ends with
        return None if _session(pid) is not None else 1
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
