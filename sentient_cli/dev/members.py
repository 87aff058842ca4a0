"""The hub's side of one worker: what it says, what it prints, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from sentient_cli.dev.channel import Channel
from sentient_cli.dev.keeping import LEDGER, NO_PAGE, PAGE, Kept
from sentient_cli.dev.lines import Lines
from sentient_cli.dev.messages import (
    CONTROL,
    Begun,
    Cancel,
    Finished,
    FromWorker,
    Leave,
    Stop,
    ToWorker,
    decode_from_worker,
    encode,
)

if TYPE_CHECKING:
    from sentient_cli.dev.crashes import Place
    from sentient_cli.dev.faults import FaultReport
    from sentient_cli.dev.last_words import LastWords
    from sentient_cli.dev.launch import Launched
    from sentient_cli.dev.processes.reaper import Child

__all__ = ["Member", "Owner"]

_LAST_WORDS: Final = 0.1
"""Seconds after its end for its side of the connection to be closed; who else holds it open has nothing to say."""
_SPEECHLESS: Final = 1.0
"""Seconds that a worker may live which says nothing any more, and was not told to leave."""
_CRASHED: Final = "Fatal Python error: "
"""Begins what the interpreter writes when native code crashes."""
_CRASHES_WITHIN: Final = 0.5
"""Seconds from the report of a crash to the end of the process; it may be slow to write its memory to disk."""
_LATEST: Final = 256
"""So many runs that have ended are remembered: the entries of their ends come a little later than the news."""
_REST: Final = 0.01
"""Seconds between two looks at what a busy worker records."""

_logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Who is told about a worker; on its event loop."""

    def heard(self, member: Member, message: FromWorker) -> None:
        """The worker said something."""
        ...

    async def carried(self, member: Member, kind: int, payload: bytes) -> None:
        """The worker sent entries; it waits when this takes long."""
        ...

    def printed(self, member: Member, line: str) -> None:
        """Its code wrote a line."""
        ...


class Member:
    """A worker, as the hub has it.

    Args:
        generation: Its number.
        launched: What leads to it.
        child: Its process.
        owner: Is told.
    """

    def __init__(self, generation: int, launched: Launched, child: Child, owner: Owner) -> None:
        self.generation: int = generation
        self.pid: int = child.pid
        self.runs: dict[str, Begun] = {}
        """What goes on there."""
        self.ended: deque[Begun] = deque(maxlen=_LATEST)
        """What went on there, the latest: entries may have been lost with the process although the run has ended."""
        self.ready: bool = False
        """Whether its code is loaded."""
        self.cancelled: int = 0
        """How many runs went on when it was told to cancel them."""
        self.is_given_up: bool = False
        """Whether it was killed for what it said, or did not say."""
        self.told_to_cancel: str | None = None
        """Why it was to end its runs."""
        self._launched = launched
        self._child = child
        self._owner = owner
        self._channel: Channel | None = None
        self._leaves = False
        self._kept: Kept | None = None
        self._fault: FaultReport | None = None
        self._releasing: asyncio.TimerHandle | None = None
        self._lines = Lines(launched.output, self._printed)

    @property
    def keeps(self) -> bool:
        """Whether connections that it was given may be open."""
        return self._kept is not None and self._kept.any

    @property
    def crashed_at(self) -> tuple[Place, ...]:
        """Where its process crashed, the innermost function first; empty where that is not known."""
        return () if self._fault is None else self._fault.places

    async def attend(self) -> int:
        """Hear what the worker says, to its end. It is killed when it sends what is nothing, or is deaf and dumb.

        Returns:
            What its process ended with: an exit code, or minus the number of a signal.
        """
        ended = self._child.ended
        hearing = asyncio.create_task(self._hear())
        try:
            await asyncio.wait((hearing, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                fit = self._leaves or hearing.result()
                await asyncio.wait((ended,), timeout=None if self._leaves else _SPEECHLESS if fit else 0)
                self.is_given_up = not self._leaves and not ended.done()
                self.kill()
                await asyncio.wait((ended,))
            await asyncio.wait((hearing,), timeout=_LAST_WORDS)
            self._end_of_words()
            await asyncio.wait((hearing,))
        finally:
            hearing.cancel()
        return ended.result()

    def _end_of_words(self) -> None:
        """What is there is still heard, and then the end: those that it has started may hold its side open."""
        with contextlib.suppress(OSError):
            self._launched.control.shutdown(socket.SHUT_RD)

    async def _hear(self) -> bool:
        """Hear what the worker says; whether it came to an end as it should."""
        try:
            await self._take_frames()
        except msgspec.DecodeError as error:
            _logger.warning("Generation %d says what is no message: %s", self.generation, error)
            return False
        except Exception:
            _logger.exception("What generation %d says cannot be taken", self.generation)
            return False
        return True

    async def _take_frames(self) -> None:
        channel = self._channel = await Channel.over(self._launched.control, rest=_REST)
        self._lines.start()
        while frame := await channel.receive():
            if frame.kind != CONTROL:
                await self._owner.carried(self, frame.kind, frame.payload)
                continue
            message = decode_from_worker(frame.payload)
            if isinstance(message, Begun):
                self.runs[message.run] = message
            self._owner.heard(self, message)
            if isinstance(message, Finished) and (begun := self.runs.pop(message.run, None)) is not None:
                self.ended.append(begun)

    def _printed(self, line: str) -> None:
        if self._fault is None:
            if _CRASHED not in line:
                self._owner.printed(self, line)
                return
            from sentient_cli.dev.faults import FaultReport  # noqa: PLC0415 - for few, and it takes a while

            self._fault = FaultReport()
        for shown in self._fault.take(line):
            self._owner.printed(self, shown)
        if self._fault.holds and self._releasing is None and not self._child.ended.done():
            self._releasing = asyncio.get_running_loop().call_later(_CRASHES_WITHIN, self._release)

    def _release(self) -> None:
        """It was a copy of the process that crashed, or only looked like it."""
        self._releasing = None
        for line in self._fault.release() if self._fault is not None else ():
            self._owner.printed(self, line)

    def say(self, message: ToWorker) -> None:
        """Tell the worker something."""
        if isinstance(message, Cancel):
            self.cancelled = len(self.runs)
            self.told_to_cancel = message.reason
        self._leaves = self._leaves or isinstance(message, Leave | Stop)
        if self._channel is not None:
            self._channel.send(encode(message))

    def hand_over(self, connection: socket.socket) -> bool:
        """Give the worker a connection, which is kept or closed here; False when it cannot take one just now."""
        kept = self._kept or self._begin_to_keep()
        if kept is None:
            return False
        number = kept.keep(connection)
        try:
            socket.send_fds(self._launched.doors, [PAGE.pack(number)], [connection.fileno()])
        except OSError:  # it is busy, or gone: its successor will take it
            kept.forget(number)
            return False
        if number == NO_PAGE:
            connection.close()
        return True

    def _begin_to_keep(self) -> Kept | None:
        """Share a ledger with the worker; None when it takes nothing just now."""
        kept = Kept()
        try:
            if kept.descriptor is not None:
                socket.send_fds(self._launched.doors, [LEDGER], [kept.descriptor])
        except OSError:
            kept.close()
            return None
        finally:
            kept.shared()
        self._kept = kept
        return kept

    def sweep(self) -> None:
        """Let go of the connections that the worker is done with."""
        if self._kept is not None:
            self._kept.sweep()

    def part(self, words: LastWords) -> list[socket.socket]:
        """Bring the answers to an end that the worker's process, which is no more, has left open.

        Args:
            words: Tells the clients.

        Returns:
            Connections of which nobody has read anything.
        """
        return [] if self._kept is None else self._kept.part(self.runs, words)

    def kill(self) -> None:
        """End the process, and what it has started itself."""
        self._child.kill()

    def close(self) -> None:
        """Let go of everything."""
        self._lines.stop()
        if self._releasing is not None:
            self._releasing.cancel()
        if not self._child.ended.done() or self._child.ended.result() >= 0:
            self._release()
        if self._channel is not None:
            self._channel.close()
        else:
            self._launched.control.close()
        self._launched.doors.close()
        if self._kept is not None:
            self._kept.close()
