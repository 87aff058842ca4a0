"""What the hub keeps of all runs: the frames of its workers, written as they are, by one writer, within bounds.

The wire never waits for it, and neither does a worker. A run whose log got a hole, since the disk was full for longer
than memory lasts, stays a prefix without an end, as after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.dev.messages import BlobHead, EntriesHead
from sentient_cli.errors import StoreError
from sentient_cli.store.batch import Lines
from sentient_cli.store.file import FileEventLog
from sentient_cli.store.rules import is_run_id

__all__ = ["Notify", "Recorder"]

Notify: TypeAlias = Callable[[str, str], None]
"""Is told what the user should know, and what to do about it."""

MIB: Final = 1024 * 1024
_FIRST_DELAY: Final = 0.25
_LONGEST_DELAY: Final = 5.0
_WRITE_AT_ONCE: Final = 4 * MIB
_PRUNE_EVERY: Final = 64
_ORPHANED_NS: Final = 3600 * 10**9
"""A run without an end that is not one of ours may be another server's; it counts as ended after this time."""
_REMEMBERED: Final = 10_000
_ATTEMPTS: Final = 3


def _remember(known: dict[str, None], run_id: str) -> None:
    known[run_id] = None
    if len(known) > _REMEMBERED:
        del known[next(iter(known))]


class _Pending:
    """What is to be written of one run."""

    __slots__ = ("attempts", "blobs", "finished", "first", "last", "size", "texts")

    def __init__(self, first: int) -> None:
        self.attempts = 0
        self.first = first
        self.last = first - 1
        self.finished = False
        self.texts: list[bytes] = []
        self.blobs: dict[str, bytes] = {}
        self.size = 0

    def lines(self, run_id: str) -> Lines:
        return Lines(run_id, self.first, self.last, self.finished, b"".join(self.texts))

    def precede(self, later: _Pending | None) -> _Pending:
        """This, and what came after it."""
        if later is not None:
            if later.texts:
                if not self.texts:
                    self.first = later.first
                self.last, self.finished = later.last, later.finished
                self.texts += later.texts
            self.blobs |= later.blobs
            self.size += later.size
        return self


class Recorder:
    r"""Writes the frames of workers to files. For one event loop.

    Args:
        log: The files; closed with the recorder.
        notify: Told once when runs cannot be kept, and once when they can again.
        clock: Says how old runs are.
        keep_runs: How many runs are kept, the newest.
        keep_bytes: How many bytes of them are kept. No single run may take more than a quarter of it.
        max_bytes: How much may wait to be written; past it the run that waits with most is given up.
        window: Seconds that frames wait for others, so that few large writes are made of many small ones.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> async def main(directory: str) -> list[str]:
        ...     recorder = Recorder(FileEventLog(Path(directory)), print)
        ...     line = b'{"seq":1,"at":5,"type":"run.started","data":{}}\n'
        ...     recorder.take(EntriesHead("0f3c", 1, 1, False), line)
        ...     await recorder.flush()
        ...     kept = await recorder.log.runs()
        ...     await recorder.aclose(timeout=5)
        ...     return kept
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     asyncio.run(main(directory))
        ['0f3c']
    """

    def __init__(
        self,
        log: FileEventLog,
        notify: Notify,
        *,
        clock: Clock | None = None,
        keep_runs: int = 1000,
        keep_bytes: int = 256 * MIB,
        max_bytes: int = 64 * MIB,
        window: float = 1.0,
    ) -> None:
        self.log = log
        """What is kept, to be read."""
        self._notify = notify
        self._clock = clock or SystemClock()
        self._keep_runs = keep_runs
        self._keep_bytes = keep_bytes
        self._max_bytes = max_bytes
        self._window = window
        self._pending: dict[str, _Pending] = {}
        self._waiting_bytes = 0
        self._live: dict[str, int] = {}
        self._given_up: dict[str, None] = {}
        self._abandoned: dict[str, None] = {}
        self._lost = 0
        self._trouble = False
        self._delay = _FIRST_DELAY
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._pruning: asyncio.Task[None] | None = None
        self._until_pruning = 0
        self._unpruned_bytes = 0
        self._closed = False

    def take(self, head: EntriesHead, lines: bytes) -> None:
        """Take a frame of entries. It costs the caller nothing to speak of, and never fails.

        Args:
            head: What it is.
            lines: The lines as they are to be written.
        """
        run_id = head.run
        if self._closed or run_id in self._given_up:
            return
        pending = self._pending.get(run_id)
        if pending is None:
            if not is_run_id(run_id):
                return
            pending = self._open(run_id, head.first)
        elif not pending.texts:
            pending.first, pending.last = head.first, head.first - 1
        if head.first != pending.last + 1:
            self._give_up(run_id)
            return
        pending.last = head.last
        pending.finished = head.finished
        pending.texts.append(lines)
        self._count(run_id, pending, len(lines), at_once=head.finished)

    def take_blob(self, head: BlobHead, data: bytes) -> None:
        """Take large data of an entry whose frame follows.

        Args:
            head: What it is.
            data: The data.
        """
        if self._closed or head.run in self._given_up or not is_run_id(head.run):
            return
        pending = self._pending.get(head.run) or self._open(head.run, 1)
        pending.blobs[head.digest] = data
        self._count(head.run, pending, len(data), at_once=False)

    def knows(self, run_id: str) -> bool:
        """Whether there is anything of a run that has no end."""
        return run_id in self._live or run_id in self._given_up

    def abandon(self, run_ids: Iterable[str]) -> None:
        """Nothing more comes of these runs, since their worker is gone: what is there is written at once."""
        for run_id in run_ids:
            self._live.pop(run_id, None)
            _remember(self._abandoned, run_id)
        self._wake.set()

    async def flush(self) -> None:
        """Return once everything was written or given up."""
        while self._pending or not self._idle.is_set():
            self._wake.set()
            await self._idle.wait()
            await asyncio.sleep(0)

    async def aclose(self, timeout: float) -> None:  # noqa: ASYNC109 - what is left then is given up, not raised
        """Write what waits, for at most ``timeout`` seconds, and close the files. May be called twice."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.flush()
        self._stop_timer()
        tasks = [task for task in (self._task, self._pruning) if task is not None]
        self._task = self._pruning = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.log.aclose()

    # -- taking ------------------------------------------------------------------------------------------------------

    def _open(self, run_id: str, first: int) -> _Pending:
        pending = self._pending[run_id] = _Pending(first)
        self._idle.clear()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="sentient-recorder")
        return pending

    def _count(self, run_id: str, pending: _Pending, size: int, *, at_once: bool) -> None:
        pending.size += size
        self._waiting_bytes += size
        written = self._live[run_id] = self._live.get(run_id, 0) + size
        if written > self._keep_bytes // 4:
            self._notify(
                f"Run {run_id} is not recorded any further",
                f"It has {written // MIB} MiB; `dev.keep_bytes` is for all runs, a quarter of it for one",
            )
            self._give_up(run_id)
        elif self._waiting_bytes > self._max_bytes:
            self._give_up(max(self._pending, key=lambda name: self._pending[name].size))
        if self._trouble:
            return  # whoever tries again does it at times of its own
        if at_once or self._waiting_bytes > _WRITE_AT_ONCE:
            self._wake.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._window, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._wake.set()

    def _give_up(self, run_id: str) -> None:
        self._lost += 1
        _remember(self._given_up, run_id)
        self._live.pop(run_id, None)
        dropped = self._pending.pop(run_id, None)
        if dropped is not None:
            self._waiting_bytes -= dropped.size

    # -- writing -----------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._stop_timer()
            while self._pending:
                if await self._write():
                    self._delay = _FIRST_DELAY
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._delay):
                        await self._wake.wait()
                self._wake.clear()
                self._delay = min(self._delay * 2, _LONGEST_DELAY)
            self._idle.set()

    async def _write(self) -> bool:
        """Write what waits; whether the disk took it."""
        batch, self._pending = self._pending, {}
        results: dict[str, Exception | None] = {}
        for run_id, pending in batch.items():
            if pending.blobs:
                results[run_id] = await self._write_blobs(run_id, pending)
        ready = [
            pending.lines(run_id) for run_id, pending in batch.items() if pending.texts and not results.get(run_id)
        ]
        if ready:
            written = await self.log.append_all_lines(ready)
            results.update(zip((lines.run_id for lines in ready), written, strict=True))
        works = any(results.get(run_id) is None for run_id in batch)
        refused = [self._settle(name, pending, results.get(name), works=works) for name, pending in batch.items()]
        faults = [error for error in refused if error is not None]
        self._tell(faults[0] if faults else None)
        return not faults

    async def _write_blobs(self, run_id: str, pending: _Pending) -> Exception | None:
        try:
            for digest, data in pending.blobs.items():
                await self.log.keep_blob(run_id, digest, data)
        except StoreError as error:
            return error
        return None

    def _settle(self, run_id: str, pending: _Pending, error: Exception | None, *, works: bool) -> StoreError | None:
        """Forget what was written or cannot be; put back what is to be tried again, and return the fault.

        Where the disk takes other runs, a run that it refuses again and again is given up.
        """
        pending.attempts += 1
        hopeless = run_id in self._given_up or (works and pending.attempts > _ATTEMPTS)
        if type(error) is StoreError and not hopeless:
            later = self._pending.get(run_id)
            self._pending[run_id] = pending.precede(later)
            return error
        self._waiting_bytes -= pending.size
        if error is not None:
            self._give_up(run_id)
        elif pending.finished:
            self._live.pop(run_id, None)
            self._until_pruning -= 1
        self._unpruned_bytes += pending.size
        return None

    def _tell(self, error: StoreError | None) -> None:
        if error is not None and not self._trouble:
            self._trouble = True
            self._lost = 0
            self._notify(f"Runs are not being recorded: {error.what}. {error.why}", error.fix)
        elif error is None and self._trouble:
            self._trouble = False
            lost = f"; {self._lost} of them are not whole" if self._lost else ""
            self._notify(f"Runs are being recorded again{lost}", "")
        if error is None and (self._until_pruning <= 0 or self._unpruned_bytes > self._keep_bytes // 16):
            self._begin_pruning()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- forgetting --------------------------------------------------------------------------------------------------

    def _begin_pruning(self) -> None:
        if self._pruning is not None and not self._pruning.done():
            return
        self._until_pruning = _PRUNE_EVERY
        self._unpruned_bytes = 0
        self._pruning = asyncio.get_running_loop().create_task(self._prune_quietly(), name="sentient-recorder-prune")

    async def _prune_quietly(self) -> None:
        with contextlib.suppress(StoreError):  # the next writing says what is wrong with the disk
            await self.prune()

    async def prune(self) -> None:
        """Forget the oldest runs beyond the limits; those that go on are never touched.

        Raises:
            StoreError: the files cannot be read or removed.
        """
        orphaned = self._clock.now_ns() - _ORPHANED_NS
        count = size = 0
        for run in await self.log.kept():
            count += 1
            size += run.size
            ours = run.run_id in self._live
            ended = run.finished or run.run_id in self._abandoned or (not ours and run.last_at < orphaned)
            if ended and (count > self._keep_runs or size > self._keep_bytes):
                await self.log.discard(run.run_id)
                count -= 1
                size -= run.size
