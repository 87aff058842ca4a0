"""The log of a run against a model of it: one start, one end, no gap, nothing lost that nobody has read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sentient_cli.clock import SystemClock
from sentient_cli.errors import CursorError, CursorExpiredError, LogSequenceError, RunOverflowError
from sentient_cli.runtime.log import LogLimits, RunLog
from sentient_cli.store.entry import LogEntry

_LIMITS = LogLimits(entries=12, size=400)


class BackwardClock(SystemClock):
    """A clock that goes back now and then."""

    def __init__(self) -> None:
        super().__init__()
        self._times = iter([5, 3, 9, 2, 9, 10, 4] * 1000)

    def now_ns(self) -> int:
        return next(self._times)


class RunLogMachine(RuleBasedStateMachine):
    """What is appended is what is read, whatever comes in between."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered: list[LogEntry] = []
        self.later: list[object] = []
        self.log = RunLog("r", BackwardClock(), _LIMITS, [self._listen], self.later.append)
        self.written: list[tuple[str, bytes]] = []
        self.rings = 0
        self.expected_rings = 0
        self.asked = False
        self.owner: int | None = None
        self.readers = 0
        self._append("run.started", b"{}")

    def _listen(self, entries: Sequence[LogEntry]) -> None:
        self.delivered += entries

    def _ring(self) -> None:
        self.rings += 1

    def _append(self, kind: str, data: bytes, *, forced: bool = False) -> None:
        self.log.append(kind, data, forced=forced)
        self.written.append((kind, data))
        self.expected_rings += self.asked
        self.asked = False

    def _full(self) -> bool:
        held = self.log.last_seq + 1 - self.log.first_seq
        return held >= _LIMITS.entries or self.log.size >= _LIMITS.size

    def _read_by_all(self) -> int:
        if self.owner is not None:
            return self.owner
        return self.log.last_seq if self.readers else 0

    @precondition(lambda self: not cast("RunLogMachine", self).log.finished)
    @rule(data=st.binary(max_size=150))
    def append(self, data: bytes) -> None:
        """An event; past the limits only what was read makes room."""
        if self._full() and self._read_by_all() < self.log.first_seq:
            before = self.log.last_seq
            with pytest.raises(RunOverflowError):
                self.log.append("event", data)
            assert self.log.last_seq == before
        else:
            self._append("event", data)

    @precondition(lambda self: not cast("RunLogMachine", self).log.finished)
    @rule()
    def last_words(self) -> None:
        """What ends a run is taken whatever the limits say."""
        self._append("event", b"{}", forced=True)

    @precondition(lambda self: not cast("RunLogMachine", self).log.finished)
    @rule(chance=st.integers(0, 9))
    def finish(self, chance: int) -> None:
        """The end, now and then."""
        if chance == 0:
            self._append("run.finished", b"{}", forced=True)
            assert len(self.delivered) == len(self.written)

    @precondition(lambda self: cast("RunLogMachine", self).log.finished)
    @rule(kind=st.sampled_from(["event", "run.finished", "log"]), forced=st.booleans())
    def nothing_after_the_end(self, kind: str, forced: bool) -> None:
        """Not even when forced."""
        with pytest.raises(LogSequenceError):
            self.log.append(kind, b"{}", forced=forced)

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """The owner has sent something more, or leaves."""
        lowest = self.owner or 0
        self.owner = data.draw(st.none() | st.integers(lowest, self.log.last_seq))
        self.log.acknowledge(self.owner)

    @rule()
    def come(self) -> None:
        """A reader comes."""
        self.log.attach()
        self.readers += 1

    @precondition(lambda self: cast("RunLogMachine", self).readers > 0)
    @rule()
    def go(self) -> None:
        """A reader leaves."""
        self.log.detach(self._ring)
        self.readers -= 1
        self.asked = False

    @rule()
    def wait(self) -> None:
        """Asking twice is asking once."""
        self.log.wake_once(self._ring)
        self.asked = True

    @rule()
    def turn(self) -> None:
        """The loop turns: what is due is delivered."""
        due, self.later[:] = list(self.later), []
        for deliver in due:
            assert callable(deliver)
            deliver()
        assert len(self.delivered) == len(self.written)

    @rule(after=st.integers(-2, 60), limit=st.integers(1, 30))
    def read(self, after: int, limit: int) -> None:
        """Any cursor gets what follows it, or is told why not."""
        log = self.log
        if after < 0 or after > log.last_seq:
            with pytest.raises(CursorError):
                log.read(after, limit)
        elif after + 1 < log.first_seq:
            with pytest.raises(CursorExpiredError) as caught:
                log.read(after, limit)
            assert caught.value.first_seq == log.first_seq
        else:
            entries = log.read(after, limit)
            assert [entry.seq for entry in entries] == list(range(after + 1, min(after + limit, log.last_seq) + 1))
            assert [(entry.type, entry.data) for entry in entries] == self.written[after : after + limit]

    @invariant()
    def counts_agree(self) -> None:
        """What the log says of itself is so."""
        log = self.log
        assert log.last_seq == len(self.written)
        held = self.written[log.first_seq - 1 :]
        assert log.size == sum(len(data) for _, data in held)
        assert log.total_size == sum(len(data) for _, data in self.written)
        assert log.finished == any(kind == "run.finished" for kind, _ in self.written)
        assert self.rings == self.expected_rings
        assert log.readers == self.readers
        assert all(first.at <= second.at for first, second in zip(self.delivered, self.delivered[1:], strict=False))

    @invariant()
    def listeners_get_everything_once_and_in_order(self) -> None:
        """Even what was forgotten since."""
        assert [entry.seq for entry in self.delivered] == list(range(1, len(self.delivered) + 1))
        assert [(entry.type, entry.data) for entry in self.delivered] == self.written[: len(self.delivered)]


TestRunLogMachine = RunLogMachine.TestCase
