"""Calls of models in runs: they know whose they are, and the ledger does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from sentient_cli import llm
from sentient_cli.config.settings import Settings
from sentient_cli.errors import ConfigError
from sentient_cli.host import Host
from sentient_cli.host.compose import build_host
from sentient_cli.llm.subject import NOBODY, CallSubject, current_subject
from sentient_cli.llm.usage.ledger import ledger_file
from sentient_cli.redact import redactor
from sentient_cli.runtime.agent import agent
from sentient_cli.runtime.request import Query, RunRequest
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.run import Run
from sentient_cli.runtime.session import Session

seen: list[CallSubject] = []


@agent
async def asker(session: Session, query: Query, response: Response) -> None:
    seen.append(current_subject.get())
    answer = await llm.generate(query.prompt)
    await asyncio.gather(llm.generate("One"), llm.generate("Two"))
    await response.respond("ANSWER", answer.text)


@asynccontextmanager
async def _host(settings: Settings) -> AsyncGenerator[Host, None]:
    host = build_host(asker, settings)
    try:
        yield host
    finally:
        await host.aclose()


async def _run(settings: Settings) -> Run:
    async with _host(settings) as host:
        body = {"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": "What is 2 + 2?"}}
        run = await host.start_run(RunRequest.model_validate(body))
        await run.wait()
        return run


def test_calls_know_the_run_they_are_made_in() -> None:
    seen.clear()
    run = asyncio.run(_run(Settings.model_validate({"profile": "night"})))
    (subject,) = seen
    assert (subject.run, subject.query, subject.agent) == (run.id, "01JS4F4Z5V0000000000000001", "asker")
    assert subject.session == run.session.activity_id
    assert current_subject.get() is NOBODY
    connection = sqlite3.connect(ledger_file())
    rows: list[tuple[str, str, str, str, str]] = connection.execute(
        "SELECT run, session, query, agent, profile FROM usage"
    ).fetchall()
    connection.close()
    assert rows == [(run.id, subject.session, subject.query, "asker", "night")] * 3


def test_the_ledger_can_be_off() -> None:
    asyncio.run(_run(Settings.model_validate({"llm": {"usage": False}})))
    assert not ledger_file().exists()


async def _made_by() -> list[bool]:
    async with _host(Settings()) as host:
        made = [host.models.made is not None]
        await host.start()
        made.append(host.models.made is not None)
        body = {"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": "What is 2 + 2?"}}
        run = await host.start_run(RunRequest.model_validate(body))
        await run.wait()
        made.append(host.models.made is not None)
        assert host.llm is host.models.made
        assert host.llm is not None
        host.llm.check_default()
    return made


def test_models_as_shipped_are_made_by_the_first_call() -> None:
    assert asyncio.run(_made_by()) == [False, False, True]


def test_what_is_set_of_models_is_made_at_once() -> None:
    with pytest.raises(ConfigError, match="nosuch"):
        build_host(asker, Settings.model_validate({"llm": {"model": "offline:nosuch"}}))


def test_a_key_is_a_secret_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a plain value of a key")
    host = build_host(asker, Settings())
    assert redactor.redact("It is: a plain value of a key") == "It is: [redacted]"
    assert host.models.made is None


def test_a_host_that_is_closed_makes_no_models() -> None:
    async def used_later() -> object:
        late: list[asyncio.Future[object]] = []

        @agent
        async def leaver(session: Session, query: Query, response: Response) -> None:
            gate = asyncio.Event()

            async def outlive() -> object:
                await gate.wait()
                return llm.get_manager()

            late.append(asyncio.ensure_future(outlive()))
            gates.append(gate)
            await response.respond("ANSWER", "bye")

        gates: list[asyncio.Event] = []
        host = build_host(leaver, Settings())
        body = {"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": "hi"}}
        run = await host.start_run(RunRequest.model_validate(body))
        await run.wait()
        await host.aclose()
        gates[0].set()
        found = await late[0]
        assert host.models.made is None
        return found

    assert asyncio.run(used_later()) is not None
