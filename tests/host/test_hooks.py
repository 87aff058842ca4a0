"""A hook sees every entry, and nothing that it does touches the run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from sentient_cli.host import Host, RunInfo
from sentient_cli.host.hooks import GuardedHooks
from sentient_cli.runtime.agent import FunctionAgent
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.open import open_stores
from tests.host.host_kit import request


async def greet(session: Session, query: Query, response: Response) -> None:
    await response.text_block("ANSWER", "hello")


class Breaking:
    """Raises at every delivery."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self.types: list[str] = []

    def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
        self.types += [entry.type for entry in entries]
        raise self._error


@pytest.mark.parametrize("error", [ValueError("broken"), asyncio.CancelledError()])
async def test_what_a_hook_raises_ends_nothing(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    hook = Breaking(error)
    host = Host(FunctionAgent(greet), hooks=[hook], capture=False)
    run = await host.start_run(request("x"))
    await run.wait()
    assert (run.outcome, host.runs.live) == ("done", 0)
    await host.drain(5)  # and nobody waits for it for ever
    await host.aclose()
    assert hook.types == ["run.started", "event", "run.finished"]
    assert [record.getMessage()[:13] for record in caplog.records] == ["A hook failed"]


async def test_a_hook_that_leaves_the_process_leaves_the_run_ended() -> None:
    class Leaving:
        def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
            if entries[-1].type == "run.finished":
                raise GeneratorExit

    host = Host(FunctionAgent(greet), hooks=[Leaving()], capture=False)
    run = await host.start_run(request("x"))
    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context.get("exception")))
    await run.wait()
    await host.aclose()
    assert (run.outcome, host.runs.live) == ("done", 0)
    assert [type(error) for error in caught] == [GeneratorExit]


async def test_a_log_handler_that_raises_harms_no_run() -> None:
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("no log today")

    handler = Raising()
    logging.getLogger().addHandler(handler)
    try:
        host = Host(FunctionAgent(greet), hooks=[Breaking(ValueError())], capture=False)
        run = await host.start_run(request("x"))
        await run.wait()
        await host.aclose()
    finally:
        logging.getLogger().removeHandler(handler)
    assert run.outcome == "done"


async def test_whoever_may_be_told_late_is_not_told_of_too_much_at_once(tmp_path: Path) -> None:
    class Patient:
        patient = True

        def __init__(self) -> None:
            self.counts: list[int] = []

        def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
            self.counts.append(len(entries))

    async def flood(session: Session, query: Query, response: Response) -> None:
        async with response.stream("ANSWER") as stream:
            for _ in range(200):
                await stream.write("much " * 20_000)

    hook = Patient()
    host = Host(FunctionAgent(flood), hooks=[hook], stores=open_stores(f"file:{tmp_path}"), capture=False)
    run = await host.start_run(request("x"))
    await run.wait()
    await host.aclose()
    assert sum(hook.counts) == run.log.last_seq
    assert max(hook.counts) < 100


def test_only_a_hook_that_says_so_is_told_late() -> None:
    class Clinic:
        def __init__(self, patient: object) -> None:
            self.patient = patient

        def on_entries(self, run: RunInfo, entries: Sequence[LogEntry]) -> None:
            """It has a patient."""

    assert GuardedHooks([]).patient
    assert GuardedHooks([Clinic(True)]).patient
    assert not GuardedHooks([Clinic(True), Clinic("Ms Miller")]).patient
    assert not GuardedHooks([Clinic(True), Breaking(ValueError())]).patient
