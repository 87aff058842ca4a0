"""The host: starts runs, keeps them, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import platform
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import sentient_cli
from sentient_cli.clock import Clock, Ids, SystemClock, SystemIds
from sentient_cli.errors import OverloadedError, StoreError
from sentient_cli.host.experiments import Experimenting
from sentient_cli.host.hooks import GuardedHooks, RunHook, RunInfo
from sentient_cli.host.intake import Intake
from sentient_cli.host.limits import HostLimits
from sentient_cli.host.llm_subject import subject_of
from sentient_cli.host.models import Models
from sentient_cli.host.observer import Observer
from sentient_cli.host.owner import this_process
from sentient_cli.host.pieces import RedactedPieces
from sentient_cli.host.redacted import RedactedLog
from sentient_cli.host.retention import RunTable
from sentient_cli.host.sessions import SessionMemory
from sentient_cli.host.stored import StoredRuns
from sentient_cli.host.threads import Threads
from sentient_cli.redact import redactor
from sentient_cli.runtime.agent import AgentLike, call_optional
from sentient_cli.runtime.capture import process_capture
from sentient_cli.runtime.loading.importing import user_code
from sentient_cli.runtime.log import LogListener, RunLog
from sentient_cli.runtime.request import RunRequest
from sentient_cli.runtime.run import Outcome, Run
from sentient_cli.runtime.session import Session
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.memory import MemoryEventLog
from sentient_cli.store.open import Stores
from sentient_cli.store.writer import WriteBehind

if TYPE_CHECKING:
    from sentient_cli.llm.manager import LLMManager

__all__ = ["Host"]

MADE_SOURCE = "sentient"
_CLOSE_TIMEOUT = 5.0
_PRUNE_EVERY = 256
_PYTHON = platform.python_version()

_logger = logging.getLogger(__name__)


class Host:
    """Runs one agent's queries. It starts lazily with the first of them, or with `start`.

    Args:
        agent: Answers. One with ``setup`` and ``aclose`` is set up first and closed at the end.
        llm: What ``sentient_cli.llm`` uses within runs, or what has it.
        stores: Where logs are written behind and sessions are remembered; None: memory only.
        hooks: See every entry.
        clock: What the time is.
        ids: Where ids come from.
        limits: Bounds.
        session_memory: Whether interactions, for clients that send none, and the state of sessions are remembered. An
            id is no credential: leave it off where strangers can reach the server.
        capture: Whether logging, warnings and prints of runs become entries.
        facts: More for the first entry of each run, such as which generation of the code answers.
        process: What the first entry of each run says of the process, in the place of what the system says of it.
        observing: What sees the calls of models; closed with the host.

    Example:
        >>> import asyncio
        >>> from sentient_cli import agent, Session, Query, Response
        >>> from sentient_cli.runtime.request import RunRequest
        >>> @agent
        ... async def echo(session: Session, query: Query, response: Response) -> None:
        ...     await response.respond("ANSWER", query.prompt)
        >>> async def main() -> str | None:
        ...     host = Host(echo)
        ...     body = {"query": {"id": "01JS4F4Z5V0000000000000001", "prompt": "hi"}}
        ...     run = await host.start_run(RunRequest.model_validate(body))
        ...     await run.wait()
        ...     await host.aclose()
        ...     return run.outcome
        >>> asyncio.run(main())
        'done'
    """

    def __init__(
        self,
        agent: AgentLike,
        *,
        llm: LLMManager | Models | None = None,
        stores: Stores | None = None,
        hooks: Sequence[RunHook] = (),
        clock: Clock | None = None,
        ids: Ids | None = None,
        limits: HostLimits | None = None,
        session_memory: bool = False,
        capture: bool = True,
        facts: Mapping[str, object] | None = None,
        process: str | None = None,
        observing: Observer | None = None,
    ) -> None:
        self.agent = agent
        self.agent_name: str = str(getattr(agent, "name", None) or type(agent).__name__)
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or SystemIds(self.clock)
        self.limits: HostLimits = limits or HostLimits()
        self.models: Models = llm if isinstance(llm, Models) else Models(llm)
        """The manager of models, if there is one already."""
        self.observing: Observer | None = observing
        self.stores = stores
        self.experimenting: Experimenting = Experimenting(self.models, stores, self.clock, self.ids)
        """What is put on trial in its runs."""
        self.runs: RunTable = RunTable(self.limits.keep, self.clock)
        limit = self.limits.run.deadline + self.limits.run.cancel_grace + _CLOSE_TIMEOUT
        self.stored: StoredRuns = StoredRuns(stores, self.clock, limit)
        """What the store has of runs that `runs` does not know: those of earlier, or of other processes."""
        self.leaving: bool = False
        """Whether new traffic should go elsewhere, though it is still served."""
        self.draining: bool = False
        """Whether no new runs are taken."""
        self.threads: Threads = Threads()
        """For what would hold the loop; closed with the host."""
        self._masking = Threads()
        self._facts: Mapping[str, object] = {
            "versions": {"sentient": sentient_cli.__version__, "python": _PYTHON},
            "process": process,
            **(facts or {}),
        }
        self._hooks = GuardedHooks(hooks)
        self._capture = process_capture if capture else None
        self._writer: WriteBehind[LogEntry] | None = None
        self._intake: Intake | None = None
        self._memory: SessionMemory | None = None
        if stores is not None and session_memory:
            self._memory = SessionMemory(stores.state, self.clock, self.limits.sessions)
        self._chores: set[asyncio.Task[None]] = set()
        self._no_context = contextvars.Context()
        self._until_pruning = 0
        self._started = False
        self._starting: asyncio.Task[None] | None = None
        self._start_lock = asyncio.Lock()
        self._idle = asyncio.Event()

    # -- life --------------------------------------------------------------------------------------------------------

    @property
    def llm(self) -> LLMManager | None:
        """What ``sentient_cli.llm`` uses within runs; made now, if nobody has needed it yet."""
        return self.models.get()

    @property
    def started(self) -> bool:
        """Whether the agent is set up."""
        return self._started

    async def start(self) -> None:
        """Set the agent up. Called by the first run when nobody else does.

        Raises:
            AgentImportError: the agent's ``setup`` raised.
            StoreError: the store cannot be used.
        """
        async with self._start_lock:
            if self._started:
                return
            if self.stores is not None and self._writer is None:
                self._open_writer(self.stores)
            if self._facts["process"] is None:
                self._facts = {**self._facts, "process": this_process()}
            if self.stores is not None:
                await self.stores.ready()
            with self.models.offered(), user_code(f"The setup of {self.agent_name} failed"):
                await call_optional(self.agent, "setup")
            if self._capture is not None:
                self._capture.install(partial(RedactedPieces, redactor))
            self._started = True

    def begin_start(self) -> None:
        """Set the agent up without waiting for it; what fails is logged. Once it goes on, asking is nothing."""
        if self._started or self.leaving or self._starting is not None:
            return
        # Whoever asks, such as a probe of an application that this one is mounted in, leaves nothing of its context.
        loop = asyncio.get_running_loop()
        self._starting = loop.create_task(self._start_logged(), context=contextvars.Context())

    async def _start_logged(self) -> None:
        try:
            await self.start()
        except Exception:
            _logger.exception("The agent %r could not be set up", self.agent_name)
        finally:
            self._starting = None

    def _open_writer(self, stores: Stores) -> None:
        if isinstance(stores.events, MemoryEventLog):
            return  # the live logs are in memory already
        log = RedactedLog(stores.events, redactor, self._masking)
        self._writer = WriteBehind[LogEntry](log, on_failure=_report_unstored)
        self._intake = Intake(self._writer, redactor)

    async def aclose(self) -> None:
        """End what runs, close the agent, and give everything back. May be called twice."""
        self.refuse_runs()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait((self._starting,), timeout=_CLOSE_TIMEOUT)
        await self.cancel_all("The server is shutting down")
        if self._chores:
            await asyncio.wait(self._chores, timeout=_CLOSE_TIMEOUT)
        if self._started:
            self._started = False
            if self._capture is not None:
                self._capture.remove()
            try:
                with self.models.offered():
                    async with asyncio.timeout(_CLOSE_TIMEOUT):
                        await call_optional(self.agent, "aclose")
            except Exception:
                _logger.exception("The agent %r failed while it was closed", self.agent_name)
        if self._intake is not None:
            self._intake.flush()
            self._intake = None
        if self._writer is not None:
            await self._writer.aclose(_CLOSE_TIMEOUT)
            self._writer = None
        await self._masking.aclose(_CLOSE_TIMEOUT)
        await self.threads.aclose(_CLOSE_TIMEOUT)
        await self.experimenting.aclose()
        if self.stores is not None:
            await self.stores.aclose()
        await self._close_models()

    async def _close_models(self) -> None:
        self.models.drop()
        if self.models.made is not None:
            await self.models.made.aclose()
        if self.observing is not None:
            await self.observing.aclose()

    # -- runs --------------------------------------------------------------------------------------------------------

    async def start_run(self, request: RunRequest) -> Run:
        """Begin to answer a query.

        Args:
            request: The query and its session; a session is made when there is none.

        Raises:
            OverloadedError: too many runs go on, or the host is draining.
        """
        self._admit()
        if not self._started:
            await self.start()
        session = await self._session(request)
        await self.experimenting.ready()
        self._admit()  # much may have happened meanwhile
        run = self._make_run(request, session)
        self.runs.add(run)
        self._idle.clear()
        with self.models.offered(), subject_of(run, self.agent_name), self.experimenting.around(run):
            run.start()
        return run

    def _admit(self) -> None:
        if self.draining:
            raise OverloadedError("The server is shutting down", fix="Try again; another one may answer")
        if self.runs.live >= self.limits.runs:
            raise OverloadedError(
                f"{self.runs.live} runs are going on, as many as are allowed", fix="Try again in a moment"
            )

    async def _session(self, request: RunRequest) -> Session:
        if request.session is None:
            session = Session(MADE_SOURCE, self.ids.ulid(), self.ids.ulid())
        else:
            session = Session.from_data(request.session)
            if self._memory is not None and not session.interactions:
                session.interactions.extend(await self._memory.load(session.activity_id))
        if self._memory is not None:
            self._memory.keep_state(session)
        return session

    def _make_run(self, request: RunRequest, session: Session) -> Run:
        run_id = self.ids.run_id()
        info = RunInfo(run_id, self.agent_name, session.activity_id, request.query.id)
        # Scheduled in an empty context: what listens is no part of the run, and copying a context costs more.
        soon = partial(asyncio.get_running_loop().call_soon, context=self._no_context)
        schedule = self._intake.schedule(soon) if self._intake is not None and self._hooks.patient else soon
        log = RunLog(run_id, self.clock, self.limits.log, self._listeners(info), schedule)
        return Run(
            run_id=run_id,
            agent=self.agent,
            session=session,
            query=request.query,
            log=log,
            limits=self.limits.run,
            clock=self.clock,
            ids=self.ids,
            agent_name=self.agent_name,
            facts=self._facts,
            on_ending=self._run_ending,
            on_finished=self._run_finished,
        )

    def _listeners(self, info: RunInfo) -> list[LogListener]:
        listeners: list[LogListener] = []
        if self._intake is not None:
            listeners.append(self._intake.listener(info.run_id))
        listeners += self._hooks.listeners(info)
        return listeners

    def _run_ending(self, run: Run, outcome: Outcome) -> None:
        if self._capture is not None:
            self._capture.finish(run)
        self.experimenting.ending(run, outcome)

    def _run_finished(self, run: Run) -> None:
        self.runs.finish(run)
        if not self.runs.live:
            self._idle.set()
        if self._memory is not None:
            if run.outcome == "done":
                entries = run.log.read(run.log.first_seq - 1, limit=run.log.last_seq)
                self._do_later(self._memory.remember(run.session, run.query, entries))
            self._do_later(self._memory.prune())
        run.forget()
        if self._writer is not None:
            self._until_pruning -= 1
            if self._until_pruning <= 0:
                self._until_pruning = _PRUNE_EVERY
                self._do_later(self.stored.prune(self.limits.stored))
                self._do_later(self.experimenting.prune(self.limits.stored.seconds))

    def _do_later(self, work: Coroutine[None, None, None]) -> None:
        # In an empty context: it is no part of the run that happens to end just then.
        chore = contextvars.Context().run(asyncio.get_running_loop().create_task, work)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    # -- the end -----------------------------------------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Return once no run is going on."""
        while self.runs.live:
            self._idle.clear()
            await self._idle.wait()

    def refuse_runs(self) -> None:
        """Take no more runs."""
        self.leaving = self.draining = True

    async def drain(self, seconds: float) -> None:
        """Take no more runs, give those that go on ``seconds``, then cancel the rest; each ends with a last event."""
        self.refuse_runs()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wait_idle()
        await self.cancel_all("The server is shutting down")

    async def cancel_all(self, reason: str) -> None:
        """Cancel what runs, and wait for the ends; an agent that ignores it is left behind after its grace."""
        for run in self.runs:
            run.cancel(reason)
        # A cancelled run ends within its grace; whatever else goes wrong, the process must not wait for ever.
        try:
            async with asyncio.timeout(self.limits.run.cancel_grace + _CLOSE_TIMEOUT):
                await self.wait_idle()
        except TimeoutError:
            _logger.error("%d runs did not end when they were cancelled", self.runs.live)  # noqa: TRY400


def _report_unstored(run_id: str, error: StoreError) -> None:
    _logger.error("Run %s is not stored to its end: %s", run_id, error, extra={"run_id": run_id})
