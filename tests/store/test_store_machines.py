"""Random histories of a store against a model that is too simple to be wrong."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typing_extensions import override

from sentient_cli.errors import CursorError, CursorExpiredError, LogSequenceError, VersionConflictError
from sentient_cli.store.entry import Entry
from sentient_cli.store.ports import EventLog, LogHead, Row, StateStore
from tests.store.adapters import DURABLE_LOGS, LOGS, STATES

T = TypeVar("T")
RUNS = st.sampled_from(["a", "b", "c-1"])
LARGE = 256 * 1024
# The length stands for large data, so that a failure can be printed.
DATA = st.one_of(st.binary(max_size=40), st.sampled_from([LARGE, LARGE + 1]))


def data_of(drawn: bytes | int) -> bytes:
    return drawn if isinstance(drawn, bytes) else b"1" * drawn


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._directory = tempfile.TemporaryDirectory()
        self.path = Path(self._directory.name)

    def do(self, work: Coroutine[object, object, T]) -> T:
        return self._runner.run(work)

    async def close(self) -> None:
        raise NotImplementedError

    @override
    def teardown(self) -> None:
        self.do(self.close())
        self._runner.close()
        self._directory.cleanup()


class ModelLog:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.first = 1

    @property
    def last(self) -> int:
        return len(self.entries)

    @property
    def finished(self) -> bool:
        return self.entries[-1].type == "run.finished"

    @property
    def head(self) -> LogHead:
        return LogHead(self.first, self.last, self.finished)


class EventLogMachine(Machine):
    adapter: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.log: EventLog = LOGS[self.adapter](self.path)
        self.model: dict[str, ModelLog] = {}

    @override
    async def close(self) -> None:
        await self.log.aclose()

    @rule(run=RUNS, datas=st.lists(DATA, min_size=1, max_size=5), finish=st.booleans(), offset=st.integers(-2, 2))
    def append(self, run: str, datas: list[bytes | int], finish: bool, offset: int) -> None:
        known = self.model.get(run)
        first = (1 if known is None else known.last + 1) + offset
        types = ["run.started" if first + index == 1 else "event" for index in range(len(datas))]
        if finish and len(types) + first > 2:
            types[-1] = "run.finished"
        new = [Entry(first + i, i, types[i], data_of(data)) for i, data in enumerate(datas)]
        if offset != 0 or (known is not None and known.finished):
            with pytest.raises(LogSequenceError):
                self.do(self.log.append(run, new))
            return
        self.do(self.log.append(run, new))
        self.model.setdefault(run, ModelLog()).entries.extend(new)

    @rule(run=RUNS, after=st.integers(-1, 12), limit=st.integers(0, 5))
    def read(self, run: str, after: int, limit: int) -> None:
        known = self.model.get(run)
        reading = self.log.read(run, after=after, limit=limit)
        if after < 0 or (known is not None and after > known.last):
            with pytest.raises(CursorError):
                self.do(reading)
        elif known is None:
            assert self.do(reading) == []
        elif after + 1 < known.first:
            with pytest.raises(CursorExpiredError) as caught:
                self.do(reading)
            assert caught.value.first_seq == known.first
        else:
            assert self.do(reading) == known.entries[after : after + limit]

    @rule(run=RUNS, before=st.integers(-1, 12))
    def discard_part(self, run: str, before: int) -> None:
        self.do(self.log.discard(run, before=before))
        if run in self.model:
            known = self.model[run]
            known.first = min(max(before, known.first), known.last + 1)

    @rule(run=RUNS)
    def discard(self, run: str) -> None:
        self.do(self.log.discard(run))
        self.model.pop(run, None)

    @rule()
    def reopen(self) -> None:
        if self.adapter in DURABLE_LOGS:
            self.do(self.log.aclose())
            self.log = LOGS[self.adapter](self.path)

    @invariant()
    def lists_agree(self) -> None:
        newest_first = list(reversed(self.model))
        assert self.do(self.log.runs()) == newest_first
        assert self.do(self.log.unfinished()) == [name for name, log in self.model.items() if not log.finished]
        kept = self.do(self.log.kept())
        expected = [(name, self.model[name].finished, self.model[name].entries[-1].at) for name in newest_first]
        assert [(run.run_id, run.finished, run.last_at) for run in kept] == expected

    @invariant()
    def heads_agree(self) -> None:
        for run in ("a", "b", "c-1"):
            known = self.model.get(run)
            assert self.do(self.log.head(run)) == (None if known is None else known.head)


class StateMachine(Machine):
    adapter: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.store: StateStore = STATES[self.adapter](self.path)
        self.model: dict[str, Row] = {}
        self.highest = 0

    @override
    async def close(self) -> None:
        await self.store.aclose()

    @rule(key=st.sampled_from(["a", "a/b", "a\U0010ffff", "ä"]), value=st.binary(max_size=9), stale=st.integers(0, 2))
    def put(self, key: str, value: bytes, stale: int) -> None:
        version = self.model[key].version if key in self.model else 0
        if stale:
            with pytest.raises(VersionConflictError):
                self.do(self.store.put(key, value, expected=version + (1 if stale == 1 else -1)))
            return
        new = self.do(self.store.put(key, value, expected=version))
        assert new > self.highest
        self.highest = new
        self.model[key] = Row(value, new)

    @rule(key=st.sampled_from(["a", "a/b", "a\U0010ffff", "ä"]), expected=st.integers(-1, 9))
    def delete(self, key: str, expected: int) -> None:
        if key in self.model and expected > 4:
            self.do(self.store.delete(key, expected=self.model.pop(key).version))
            return
        if key not in self.model or self.model[key].version != expected:
            with pytest.raises(VersionConflictError):
                self.do(self.store.delete(key, expected=expected))

    @rule()
    def reopen(self) -> None:
        if self.adapter != "memory":
            self.do(self.store.aclose())
            self.store = STATES[self.adapter](self.path)

    @invariant()
    def rows_agree(self) -> None:
        assert [row.key for row in self.do(self.store.kept())] == sorted(self.model)
        within = [row.key for row in self.do(self.store.kept("a/"))]
        assert within == sorted(key for key in self.model if key.startswith("a/"))
        for key in ("a", "a/b", "ä"):
            assert self.do(self.store.get(key)) == self.model.get(key)


class MemoryLogMachine(EventLogMachine):
    adapter = "memory"


class SQLiteLogMachine(EventLogMachine):
    adapter = "sqlite"


class FileLogMachine(EventLogMachine):
    adapter = "file"


class MemoryStateMachine(StateMachine):
    adapter = "memory"


class SQLiteStateMachine(StateMachine):
    adapter = "sqlite"


_QUICK = settings(stateful_step_count=20, max_examples=10)
TestMemoryLog = MemoryLogMachine.TestCase
TestSQLiteLog = SQLiteLogMachine.TestCase
TestFileLog = FileLogMachine.TestCase
TestMemoryState = MemoryStateMachine.TestCase
TestSQLiteState = SQLiteStateMachine.TestCase
TestMemoryLog.settings = TestSQLiteLog.settings = TestFileLog.settings = _QUICK
TestMemoryState.settings = TestSQLiteState.settings = _QUICK
