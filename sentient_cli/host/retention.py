"""Which runs the process still knows: those that run, and finished ones for a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from sentient_cli.clock import Clock
from sentient_cli.runtime.run import Run

__all__ = ["KeepLimits", "RunTable"]


@dataclass(frozen=True, slots=True)
class KeepLimits:
    """How many finished runs, or sessions, are kept.

    Args:
        count: At most so many.
        seconds: None that ended, or was written to, longer ago.
        size: At most so many bytes of data over all of them.
    """

    count: int = 1000
    seconds: float = 3600.0
    size: int = 256 * 1024 * 1024


class RunTable:
    """The runs of one host, by id.

    Args:
        limits: What is kept of the finished ones.
        clock: Tells their age.
    """

    def __init__(self, limits: KeepLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._live: dict[str, Run] = {}
        self._finished: OrderedDict[str, tuple[int, Run]] = OrderedDict()
        self._size = 0

    @property
    def live(self) -> int:
        """How many runs have not ended."""
        return len(self._live)

    def __iter__(self) -> Iterator[Run]:
        """The runs that have not ended."""
        return iter(tuple(self._live.values()))

    def add(self, run: Run) -> None:
        """Know a run that begins."""
        self._live[run.id] = run

    def get(self, run_id: str) -> Run | None:
        """The run of this id, unless it is unknown or forgotten."""
        run = self._live.get(run_id)
        if run is None:
            self.prune()
            kept = self._finished.get(run_id)
            run = kept[1] if kept is not None else None
        return run

    def finish(self, run: Run) -> None:
        """Count a run among the finished ones."""
        if self._live.pop(run.id, None) is not None:
            self._finished[run.id] = (self._clock.now_ns(), run)
            self._size += run.log.size
            self.prune()

    def prune(self) -> None:
        """Forget the finished runs that are beyond the limits, the oldest first."""
        oldest_kept = self._clock.now_ns() - int(self._limits.seconds * 1e9)
        while self._finished:
            run_id, (ended, run) = next(iter(self._finished.items()))
            within = len(self._finished) <= self._limits.count and self._size <= self._limits.size
            if within and ended >= oldest_kept:
                return
            del self._finished[run_id]
            self._size -= run.log.size
