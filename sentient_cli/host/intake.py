"""Where the entries of runs wait a moment for others on their way to the store, and are masked together."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from typing import Final

from sentient_cli.host.masking import LookedAt, StreamMask
from sentient_cli.redact import Redactor
from sentient_cli.runtime.log import LogListener
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.rules import FINISHED
from sentient_cli.store.writer import WriteBehind

__all__ = ["Intake"]

_WINDOW: Final = 0.02
_BUSY_WINDOW: Final = 0.1
_BUSY: Final = range(100, 2000)
"""Entries in one window after which the next one is longer: what there is to do for each run is done less often."""
_END: Final = 0.002
_BATCH: Final = 256
_BETWEEN: Final = "\0"


class Intake:
    """Collects the entries of runs: for 20 ms, or 100 where there are many, or until a run has 256, or its end.

    For one event loop.

    What may hold a secret is looked for in the texts of all runs at once, since looking costs much the same for a
    little text as for some more.

    Args:
        writer: Takes the masked entries.
        redactor: Knows the secrets.
    """

    def __init__(self, writer: WriteBehind[LogEntry], redactor: Redactor) -> None:
        self._writer = writer
        self._redactor = redactor
        self._due: list[_RunIntake] = []
        self._deliveries: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._window = _WINDOW
        self._passed = 0
        self._hastened = False
        self._no_context = contextvars.Context()

    def listener(self, run_id: str) -> LogListener:
        """What takes the entries of a run."""
        return _RunIntake(self, run_id, self._writer, self._redactor).take

    def schedule(self, soon: Callable[[Callable[[], None]], object]) -> Callable[[Callable[[], None]], None]:
        """What a run's log asks to be told when to deliver: soon for the first time, then when the time is up.

        Args:
            soon: Calls what it is given at the end of the loop's turn.
        """
        begun = False

        def schedule(deliver: Callable[[], None]) -> None:
            nonlocal begun
            if begun:
                self._deliveries.append(deliver)
                self._begin()
            else:
                begun = True
                soon(deliver)

        return schedule

    def wait(self, run: _RunIntake) -> None:
        """Let a run's entries wait for others."""
        self._due.append(run)
        self._begin()

    def hasten(self) -> None:
        """Pass everything on in a moment: first the client gets the end of its stream."""
        if not self._hastened:
            self._hastened = True
            if self._timer is not None:
                self._timer.cancel()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_END, self.flush, context=self._no_context)

    def _begin(self) -> None:
        if self._timer is None:
            # What begins here is no part of the run that happens to be the first.
            self._timer = asyncio.get_running_loop().call_later(self._window, self.flush, context=self._no_context)

    def flush(self) -> None:
        """Pass everything on."""
        self._begin()  # so that nothing else begins a time while logs deliver
        deliveries, self._deliveries = self._deliveries, []
        for deliver in deliveries:
            try:
                deliver()
            except Exception as error:  # noqa: BLE001 - the other runs go on
                told = {"message": "The entries of a run could not be delivered", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hastened = False
        due, self._due = self._due, []
        for run in due:
            run.waits = False
        self.pass_on([run for run in due if run.entries])
        self._window = _BUSY_WINDOW if self._passed in _BUSY else _WINDOW
        self._passed = 0

    def pass_on(self, runs: Sequence[_RunIntake]) -> None:
        """Mask what some runs have, and pass it on."""
        self._passed += sum([len(run.entries) for run in runs])
        looked_at = [run.look_at() for run in runs]
        suspects = self._redactor.suspects
        harmless = not suspects(_BETWEEN.join([looked.text for looked in looked_at]))
        for run, looked in zip(runs, looked_at, strict=True):
            run.mask.take(looked, harmless=harmless or (len(runs) > 1 and not suspects(looked.text)))


class _RunIntake:
    """The entries of one run."""

    __slots__ = ("_intake", "_run_id", "_writer", "entries", "mask", "waits")

    def __init__(self, intake: Intake, run_id: str, writer: WriteBehind[LogEntry], redactor: Redactor) -> None:
        self._intake = intake
        self._run_id = run_id
        self._writer = writer
        self.waits: bool = False
        """Whether it is called when the time is up."""
        self.entries: list[LogEntry] = []
        self.mask: StreamMask = StreamMask(redactor, self._offer)

    def take(self, entries: Sequence[LogEntry]) -> None:
        """Take the run's next entries."""
        self.entries += entries
        if len(self.entries) >= _BATCH:
            self._intake.pass_on((self,))
        elif not self.waits:
            self.waits = True
            self._intake.wait(self)
        if entries[-1].type == FINISHED:
            self._intake.hasten()

    def look_at(self) -> LookedAt:
        """Begin to mask what there is."""
        entries, self.entries = self.entries, []
        return self.mask.look_at(entries)

    def _offer(self, entries: Sequence[LogEntry], size: int) -> None:
        self._writer.offer(self._run_id, entries, size)
