"""What is in a run's log: one start, the events, what the agent logged and printed, one end."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import sys
import threading
import warnings
from collections.abc import Sequence

import pytest

from sentient_cli.clock import SystemClock
from sentient_cli.errors import OverloadedError, ResponseClosedError, SentientError, StoreError
from sentient_cli.host import Host, HostLimits, RunInfo
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.events import ErrorEvent, TextBlockEvent
from sentient_cli.runtime.log import LogLimits
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.run import Run, RunLimits
from sentient_cli.runtime.session import Session
from sentient_cli.store.entry import LogEntry
from tests.host.host_kit import answer, entries, events, hosting, request

_KEY = "sk-proj-" + "Zx9" * 16


async def silent(session: Session, query: Query, response: Response) -> None:
    pass


async def never(session: Session, query: Query, response: Response) -> None:
    await response.text_block("READY", "")
    await asyncio.Event().wait()


def logs(run: Run) -> list[dict[str, str]]:
    return [json.loads(entry.data) for entry in entries(run) if entry.type == "log"]


async def test_a_log_begins_and_ends_once() -> None:
    async with hosting(silent) as host:
        run = await answer(host, "hello")
    first, last = entries(run)
    assert (first.seq, first.type, last.seq, last.type) == (1, "run.started", 2, "run.finished")
    started, finished = json.loads(first.data), json.loads(last.data)
    assert started.keys() >= {"run", "session", "query", "agent", "versions"}
    assert (started["run"], started["agent"], started["query"]) == (run.id, "silent", run.query.id)
    assert finished["outcome"] == "done"
    assert len(finished["id"]) == 26
    assert finished["totals"]["events"] == 0


async def test_logging_warnings_and_prints_become_entries(capsys: pytest.CaptureFixture[str]) -> None:
    async def tell(session: Session, query: Query, response: Response) -> None:
        logging.getLogger("shop").warning("low on %s", "tea")
        print("to out")  # noqa: T201 - what is tested
        sys.stderr.write("to err, without an end of line")
        warnings.warn("an old way", UserWarning, stacklevel=1)
        await asyncio.to_thread(print, "from a thread")
        await asyncio.create_task(_print_later())

    async def _print_later() -> None:
        print("from a task")  # noqa: T201 - what is tested

    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        async with hosting(tell, capture=True) as host:
            run = await answer(host, "x")
    found = {(item["level"], item["source"], item["text"]) for item in logs(run)}
    assert found >= {
        ("warning", "logging", "low on tea"),
        ("info", "stdout", "to out"),
        ("info", "stderr", "to err, without an end of line"),
        ("info", "stdout", "from a thread"),
        ("info", "stdout", "from a task"),
    }
    assert any(source == "warning" and "UserWarning: an old way" in text for _, source, text in found)
    out, _ = capsys.readouterr()
    assert "to out\n" in out


async def test_each_run_gets_its_own() -> None:
    gate = asyncio.Event()

    async def tell(session: Session, query: Query, response: Response) -> None:
        print("first", query.prompt)  # noqa: T201 - what is tested
        await gate.wait()
        print("second", query.prompt)  # noqa: T201 - what is tested

    async with hosting(tell, capture=True) as host:
        runs = [await host.start_run(request(name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        gate.set()
        for run in runs:
            await run.wait()
        print("outside of runs")  # noqa: T201 - what is tested
    assert [[item["text"] for item in logs(run)] for run in runs] == [["first a", "second a"], ["first b", "second b"]]


async def test_secrets_are_masked_in_entries() -> None:
    async def tell(session: Session, query: Query, response: Response) -> None:
        logging.getLogger("shop").error("key %s", _KEY)
        print(f"key {_KEY}")  # noqa: T201 - what is tested

    async with hosting(tell, capture=True) as host:
        run = await answer(host, "x")
    assert len(logs(run)) == 2
    assert _KEY not in str(logs(run))


async def test_a_log_call_that_is_wrong_does_not_end_the_run() -> None:
    async def tell(session: Session, query: Query, response: Response) -> None:
        logging.getLogger("shop").warning("%d", "one")

    logging.raiseExceptions, before = False, logging.raiseExceptions
    try:
        async with hosting(tell, capture=True) as host:
            assert (await answer(host, "x")).outcome == "done"
    finally:
        logging.raiseExceptions = before


async def test_what_the_process_had_is_given_back() -> None:
    before = (sys.stdout, sys.stderr, warnings.showwarning, list(logging.getLogger().handlers))
    async with hosting(silent, capture=True) as one, hosting(silent, capture=True) as two:
        await answer(one, "x")
        await answer(two, "x")
    assert (sys.stdout, sys.stderr, warnings.showwarning, list(logging.getLogger().handlers)) == before


async def test_an_agent_waits_at_256_unsent_entries() -> None:
    async def flood(session: Session, query: Query, response: Response) -> None:
        while True:
            await response.text_block("FLOOD", "")

    async with hosting(flood) as host:
        run = await host.start_run(request("x"))
        run.outlet.own(0, 0)
        for sent in (0, 100, 500):
            acknowledged = min(sent, run.log.last_seq)
            run.outlet.own(acknowledged, run.log.total_size)
            for _ in range(200):
                await asyncio.sleep(0)
            assert run.log.last_seq == acknowledged + 256


async def test_an_agent_waits_at_a_mebibyte_unsent() -> None:
    async def flood(session: Session, query: Query, response: Response) -> None:
        while True:
            await response.text_block("FLOOD", "x" * 100_000)

    async with hosting(flood) as host:
        run = await host.start_run(request("x"))
        run.outlet.own(0, 0)
        for _ in range(200):
            await asyncio.sleep(0)
        assert 1024 * 1024 <= run.log.total_size <= 1024 * 1024 + 101_000
        held = run.log.last_seq
        run.outlet.disown()
        for _ in range(200):
            await asyncio.sleep(0)
        assert run.log.last_seq > held  # nobody holds it back any more


async def test_a_flood_with_no_reader_fails_with_a_typed_error() -> None:
    limits = HostLimits(log=LogLimits(entries=500))
    caught: list[str] = []

    async def flood(session: Session, query: Query, response: Response) -> None:
        try:
            while True:
                await response.text_block("FLOOD", "")
        except Exception as error:
            caught.append(type(error).__name__)
            raise

    async with hosting(flood, limits=limits) as host:
        run = await answer(host, "x")
    assert (run.outcome, caught) == ("error", ["RunOverflowError"])
    *_, error = events(run)
    assert isinstance(error, ErrorEvent)
    assert entries(run)[-1].type == "run.finished"


async def test_runs_share_the_loop_fairly() -> None:
    turns: list[str] = []

    async def flood(session: Session, query: Query, response: Response) -> None:
        for _ in range(2000):
            await response.text_block("FLOOD", "")
            turns.append(query.prompt)

    async with hosting(flood) as host:
        runs = [await host.start_run(request(name)) for name in "abc"]
        for run in runs:
            await run.wait()
    stretches = [len(list(same)) for _, same in itertools.groupby(turns[: turns.index("c") + 1000])]
    assert max(stretches) <= 32


async def test_an_agent_may_clean_up_when_it_is_cancelled() -> None:
    async def tidy(session: Session, query: Query, response: Response) -> None:
        try:
            await never(session, query, response)
        finally:
            await asyncio.sleep(0)
            await response.text_block("BYE", "tidied up")

    async with hosting(tidy) as host:
        run = await host.start_run(request("x"))
        await asyncio.sleep(0)
        run.cancel("enough")
        await run.wait()
    ready, bye, error = events(run)
    assert (ready.event_name, bye.event_name) == ("READY", "BYE")
    assert isinstance(error, ErrorEvent)
    assert (error.content.error_code, error.content.error_message) == (499, "enough")


async def test_after_the_deadline_nothing_is_emitted() -> None:
    caught: list[BaseException] = []

    async def late(session: Session, query: Query, response: Response) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            gate = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.05, gate.set_result, None)
            try:
                await gate
            except asyncio.CancelledError as error:
                caught.append(error)
            try:
                await response.text_block("LATE", "")
            except ResponseClosedError as error:
                caught.append(error)

    limits = HostLimits(run=RunLimits(deadline=0.01, cancel_grace=0.01))
    async with hosting(late, limits=limits) as host:
        run = await answer(host, "x")
    assert run.outcome == "deadline"
    assert isinstance(caught[-1], ResponseClosedError)
    assert [event.event_name for event in events(run)] == ["error"]


async def test_no_more_runs_than_allowed() -> None:
    async with hosting(never, limits=HostLimits(runs=2)) as host:
        for _ in range(2):
            await host.start_run(request("x"))
        with pytest.raises(OverloadedError):
            await host.start_run(request("x"))


async def test_a_closed_host_has_ended_every_run() -> None:
    async with hosting(never) as host:
        runs = [await host.start_run(request("x")) for _ in range(5)]
    assert {run.outcome for run in runs} == {"cancelled"}
    assert {entries(run)[-1].type for run in runs} == {"run.finished"}


class Recorder:
    """A hook that keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, str, bytes]] = []

    def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        self.seen += [(run.run_id, entry.seq, entry.type, entry.data) for entry in entries]


class BrokenHook:
    """A hook that does not work."""

    def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        raise ValueError("broken hook")


async def test_hooks_see_every_entry_and_a_broken_one_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()

    async def speak(session: Session, query: Query, response: Response) -> None:
        for _ in range(100):
            await response.text_block("A", "")

    host = Host(FunctionAgent(speak), hooks=[BrokenHook(), recorder], capture=False)
    try:
        runs = [await answer(host, "x") for _ in range(2)]
    finally:
        await host.aclose()
    for run in runs:
        seen = [(run.id, entry.seq, entry.type, entry.data) for entry in entries(run)]
        assert [item for item in recorder.seen if item[0] == run.id] == seen
    assert caplog.text.count("ValueError: broken hook") == 1


async def test_the_times_of_entries_never_go_back() -> None:
    class Backward(SystemClock):
        def __init__(self) -> None:
            super().__init__()
            self._time = 10**18

        def now_ns(self) -> int:
            self._time -= 1000
            return self._time

    async def speak(session: Session, query: Query, response: Response) -> None:
        for _ in range(100):
            await response.text_block("A", "")

    host = Host(FunctionAgent(speak), clock=Backward(), capture=False)
    try:
        run = await answer(host, "x")
    finally:
        await host.aclose()
    times = [entry.at for entry in entries(run)]
    assert times == sorted(times)
    ids = [event.id for event in events(run)]
    assert ids == sorted(set(ids))


async def test_a_setup_that_fails_is_told_and_tried_again() -> None:
    class Flaky(FunctionAgent):
        tries = 0

        async def setup(self) -> None:
            self.tries += 1
            if self.tries == 1:
                raise StoreError("not yet")

    agent = Flaky(silent)
    host = Host(agent, capture=False)
    try:
        with pytest.raises(SentientError):
            await host.start_run(request("x"))
        assert (await answer(host, "x")).outcome == "done"
    finally:
        await host.aclose()


async def test_entries_from_threads_after_the_end_are_dropped() -> None:
    release = threading.Event()

    async def leave_a_thread(session: Session, query: Query, response: Response) -> None:
        await response.text_block("A", "")

        def late() -> None:
            release.wait(10)
            print("too late")  # noqa: T201 - what is tested

        _ = asyncio.get_running_loop().run_in_executor(None, late)

    async with hosting(leave_a_thread, capture=True) as host:
        run = await answer(host, "x")
        count = run.log.last_seq
        release.set()
        await asyncio.get_running_loop().shutdown_default_executor()
        await asyncio.sleep(0)
        assert run.log.last_seq == count
    (event,) = events(run)
    assert isinstance(event, TextBlockEvent)
