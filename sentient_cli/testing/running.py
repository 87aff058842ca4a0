"""Runs an agent on one query, in this process and in full."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import TypeAlias, cast

from sentient_cli.clock import Clock, Ids
from sentient_cli.compat import adapt
from sentient_cli.errors import UsageError
from sentient_cli.host import Host, HostLimits
from sentient_cli.llm.manager import LLMManager
from sentient_cli.runtime.agent import AgentLike, AssistFunction
from sentient_cli.runtime.loading.choosing import Candidate
from sentient_cli.runtime.loading.making import make_agent
from sentient_cli.runtime.request import Interaction, Query, RunRequest, SessionData
from sentient_cli.runtime.run import Outcome, Run, RunLimits
from sentient_cli.runtime.session import Session
from sentient_cli.store.entry import LogEntry
from sentient_cli.testing.agent_run import AgentRun, events_of
from sentient_cli.testing.models import scripted_llm
from sentient_cli.testing.sessions import make_session
from sentient_cli.testing.time import FixedClock, SequentialIds

__all__ = ["Testable", "run_agent", "run_agent_sync"]

Testable: TypeAlias = AgentLike | AssistFunction | Callable[[], AgentLike]
"""An agent, the class of one, or an async function that answers."""


async def run_agent(
    agent: Testable,
    prompt: str,
    *,
    session: Session | None = None,
    interactions: Iterable[Interaction] = (),
    llm: LLMManager | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    deadline: float = 60.0,
    capture: bool = False,
) -> AgentRun:
    """Run an agent on one query and return what happened. It is set up before and closed after.

    Everything is deterministic: time stands still, ids count from 1, and the model is the offline one.

    Args:
        agent: An agent, the class of one, or an async function that answers.
        prompt: What is asked.
        session: The chat so far; `make_session` makes one. Its state goes on from run to run.
        interactions: Further earlier turns.
        llm: The model that the agent gets; `scripted_llm` makes one. It is closed after the run.
        clock: What the time is; `FixedClock` unless given.
        ids: Where ids come from; `SequentialIds` unless given.
        deadline: Seconds after which the run is ended.
        capture: Whether logging, warnings and prints become entries of the log.

    Raises:
        AgentLoadError: it is no agent, cannot be made, or its ``assist`` is not usable.
        AgentImportError: its constructor or its ``setup`` raised. What it raises while it answers is in the result.

    Example:
        >>> async def greet(session: Session, query: Query, response: object) -> None:
        ...     await response.respond("ANSWER", f"Hello, {query.prompt}")
        >>> run = asyncio.run(run_agent(greet, "Ann"))
        >>> run.outcome, run.text()
        ('done', 'Hello, Ann')
    """
    clock, ids = clock or FixedClock(), ids or SequentialIds()
    session = session or make_session(ids=ids)
    request = _request(prompt, session, interactions, ids)
    host = Host(
        _agent(agent),
        llm=llm or scripted_llm({}, fallback="assistant", clock=clock),
        clock=clock,
        ids=ids,
        limits=HostLimits(run=RunLimits(deadline=deadline)),
        capture=capture,
        process="test",  # the same in each process: so is what the run comes to
    )
    try:
        run = await host.start_run(request)
        run.session.keep_state(session.state)  # the agent has not begun
        await run.wait()
        await host.wait_idle()
    finally:
        await host.aclose()
    run.session.keep_state(session.state)  # the run has let go of it
    return _result(run)


def run_agent_sync(
    agent: Testable,
    prompt: str,
    *,
    session: Session | None = None,
    interactions: Iterable[Interaction] = (),
    llm: LLMManager | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
    deadline: float = 60.0,
    capture: bool = False,
) -> AgentRun:
    """`run_agent` for tests that are not async.

    Raises:
        UsageError: an event loop is running: `run_agent` can be awaited there.

    Example:
        >>> async def greet(session: Session, query: Query, response: object) -> None:
        ...     await response.respond("ANSWER", f"Hello, {query.prompt}")
        >>> run_agent_sync(greet, "Ann").raise_for_outcome().text()
        'Hello, Ann'
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise UsageError("An event loop is running here", fix="Write `await run_agent(…)` instead")
    with asyncio.Runner() as runner:
        return runner.run(
            run_agent(
                agent,
                prompt,
                session=session,
                interactions=interactions,
                llm=llm,
                clock=clock,
                ids=ids,
                deadline=deadline,
                capture=capture,
            )
        )


def _agent(agent: Testable) -> AgentLike:
    """An agent, made and checked as it is when it is served."""
    name = str(getattr(agent, "__name__", type(agent).__name__))
    value = functools.partial(cast("AssistFunction", agent)) if inspect.ismethod(agent) else agent
    return adapt(make_agent(Candidate(name, value), "the test", name))


def _request(prompt: str, session: Session, interactions: Iterable[Interaction], ids: Ids) -> RunRequest:
    data = SessionData(
        processor_id=session.processor_id,
        activity_id=session.activity_id,
        request_id=session.request_id,
        interactions=[*session.interactions, *interactions],
    )
    return RunRequest(query=Query(id=ids.ulid(), prompt=prompt), session=data)


def _result(run: Run) -> AgentRun:
    entries: list[LogEntry] = []
    after = run.log.first_seq - 1
    while more := run.log.read(after):
        entries += more
        after = more[-1].seq
    return AgentRun(
        prompt=run.query.prompt,
        session=run.session,
        entries=tuple(entries),
        events=events_of(entries),
        outcome=cast("Outcome", run.outcome),  # a run that was waited for has one
        failure=run.failure,
    )
