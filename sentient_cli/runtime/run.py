"""A run: one query to one agent, as a task of its own with a log of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import msgspec

from sentient_cli.clock import Clock, Ids
from sentient_cli.errors import ResponseClosedError, RunOverflowError
from sentient_cli.runtime.agent import AgentLike
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.faults import describe_failure, forget_frames, report_late
from sentient_cli.runtime.log import RunLog
from sentient_cli.runtime.outlet import Outlet
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session

__all__ = ["Outcome", "Run", "RunLimits", "current_run"]

Outcome: TypeAlias = Literal["done", "error", "cancelled", "deadline"]
"""How a run ended."""

current_run: contextvars.ContextVar[Run | None] = contextvars.ContextVar("sentient_current_run", default=None)
"""The run that the current task belongs to, or None outside of runs."""

_REFERENCE = 12
_logger = logging.getLogger(__name__)


class RunLimits(msgspec.Struct, frozen=True):
    """The bounds of one run.

    Args:
        deadline: Seconds after which the run is ended.
        cancel_grace: Seconds that a cancelled agent has to clean up before the run ends without it.
        unsent_entries: Entries that the owner may be behind before the agent waits.
        unsent_size: Bytes that the owner may be behind before the agent waits.
        show_errors: Whether the client is told an exception's text; for development only.
    """

    deadline: float = 600.0
    cancel_grace: float = 2.0
    unsent_entries: int = 256
    unsent_size: int = 1024 * 1024
    show_errors: bool = False


def current_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Run:
    """One query to one agent. It begins with `start` and ends exactly once, whatever the agent does.

    Args:
        run_id: Identifies the run; whoever has it may read the run.
        agent: Answers.
        session: The chat so far.
        query: What is asked.
        log: An empty log, which the run fills.
        limits: Bounds.
        clock: For totals.
        ids: For events.
        agent_name: For the log.
        facts: More for the ``run.started`` entry, such as versions.
        on_ending: Called once, before the last entries, with how the run ends.
        on_finished: Called once, after the terminal entry.
    """

    # Two thousand of them may live at once, and an instance dictionary costs a kilobyte.
    __slots__ = (
        "_agent",
        "_clock",
        "_ending",
        "_ending_reason",
        "_facts",
        "_ids",
        "_limits",
        "_loop",
        "_on_ending",
        "_on_finished",
        "_started_at",
        "_timer",
        "_was_late",
        "agent_name",
        "failure",
        "id",
        "log",
        "log_lines",
        "outcome",
        "outlet",
        "query",
        "response",
        "session",
        "task",
    )

    def __init__(
        self,
        *,
        run_id: str,
        agent: AgentLike,
        session: Session,
        query: Query,
        log: RunLog,
        limits: RunLimits,
        clock: Clock,
        ids: Ids,
        agent_name: str,
        facts: Mapping[str, object] | None = None,
        on_ending: Callable[[Run, Outcome], None] | None = None,
        on_finished: Callable[[Run], None] | None = None,
    ) -> None:
        self.id: str = run_id
        self.agent_name: str = agent_name
        self.session: Session = session
        self.query: Query = query
        self.log: RunLog = log
        self.outlet: Outlet = Outlet(
            log,
            clock,
            ids,
            unsent_entries=limits.unsent_entries,
            unsent_size=limits.unsent_size,
            on_complete=self._complete,
            on_late=self._late,
        )
        """Takes the events; the connection that started the run says there how far it is."""
        log.on_overflow = self._overflow
        self.outcome: Outcome | None = None
        self.task: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None
        self.log_lines: int = 0
        """How many lines of logging, warnings and prints are in the log."""
        self.response: Response = Response(self.outlet, session.processor_id, ids)
        self._agent: AgentLike | None = agent
        self._limits = limits
        self._clock = clock
        self._ids = ids
        self._facts = facts or {}
        self._on_ending = on_ending
        self._on_finished = on_finished
        self._ending: Outcome | None = None
        self._ending_reason = ""
        self._timer: asyncio.TimerHandle | None = None
        self._started_at = 0
        self._was_late = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def closed(self) -> bool:
        """Whether the log has its terminal entry."""
        return self.log.finished

    def note(self, type: str, data: bytes) -> None:  # noqa: A002 - the field's name
        """Append an entry that is no event, unless the run has ended or its log is full. Safe from any thread."""
        try:
            if current_loop() is self._loop:
                if not self.log.finished:
                    self.log.append(type, data)
            elif self._loop is not None:
                self._loop.call_soon_threadsafe(self.note, type, data)
        except RunOverflowError:
            pass  # what the agent says next will fail for the same reason, and end the run
        except RuntimeError:
            pass  # the loop is closed: the run has ended

    def _overflow(self, error: RunOverflowError) -> None:
        self.failure = error
        self._ending = "error"
        self._finish("error")
        if self.task is not None:
            self.task.cancel()

    def _complete(self) -> None:
        self._finish(self._ending or "done")

    def _late(self) -> None:
        if not self._was_late:  # an agent that goes on for ever must not fill the server's log
            self._was_late = True
            report_late(self)

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Append ``run.started`` and begin to work."""
        self._started_at = self._clock.now_ns()
        self.log.append("run.started", encode_json(self._start_facts()))
        self._loop = loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        context.run(current_run.set, self)
        self.task = loop.create_task(self._work(), name=f"run-{self.id}", context=context)
        self.task.add_done_callback(self._conclude)
        self._timer = loop.call_later(self._limits.deadline, self._end_early, "deadline", "")

    def _start_facts(self) -> dict[str, object]:
        return {
            "run": self.id,
            "session": self.session.activity_id,
            "query": self.query.id,
            "request": self.session.request_id,
            "source": self.session.processor_id,
            "agent": self.agent_name,
            "generation": 0,
            "prompt": self.query.prompt,
            **self._facts,
        }

    def cancel(self, reason: str = "") -> None:
        """End the run early; the agent has a short grace to clean up.

        Args:
            reason: Said to the client, when given.
        """
        self._end_early("cancelled", reason)

    def _end_early(self, outcome: Outcome, reason: str) -> None:
        if self.log.finished or self._ending is not None:
            return
        self._ending = outcome
        self._ending_reason = reason
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._limits.cancel_grace, self._abandon)
        if self.task is not None:
            self.task.cancel()

    def _abandon(self) -> None:
        """The agent did not end within its grace: the run ends without it."""
        if not self.log.finished and self._ending is not None:
            self._finish(self._ending)
        if self.task is not None and not self.task.done():
            self.task.cancel()

    async def wait(self) -> None:
        """Return when the agent's task has ended."""
        if self.task is not None:
            await asyncio.wait((self.task,))

    async def _work(self) -> None:
        agent = self._agent
        if agent is None:
            return
        try:
            await agent.assist(self.session, self.query, self.response)
        except asyncio.CancelledError as error:
            # A cancellation that nobody asked for comes from the agent itself: a failure like any other.
            if self._ending is None:
                self.failure = error
        except BaseException as error:  # noqa: BLE001 - SystemExit in an agent must not end the server
            self.failure = error

    def _conclude(self, _task: asyncio.Task[None]) -> None:
        failure = self.failure
        if not self.log.finished:
            self._finish(self._ending or ("done" if failure is None else "error"))
        elif failure is not None and not isinstance(failure, ResponseClosedError | RunOverflowError):
            describe_failure(self, failure, "after the response was complete", reference=self._reference())
        if failure is not None:
            forget_frames(failure)  # the agent's variables are not kept with the run
        self.task = self._timer = None  # nor is the context of the request that began it

    def forget(self) -> None:
        """Let go of what only a live run needs, since finished ones are kept for a while."""
        self.session = Session(self.session.processor_id, self.session.activity_id, self.session.request_id)
        self._agent = None

    def _finish(self, outcome: Outcome) -> None:
        if self.log.finished:
            return
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._on_ending is not None:
                self._on_ending(self, outcome)
            self._say_last_words(outcome)
        except Exception:  # whatever is wrong with the words, the run ends
            with contextlib.suppress(Exception):
                _logger.exception("The last events of run %s could not be written", self.id)
        self.outcome = outcome
        data = encode_json(
            {
                "outcome": outcome,
                "id": self._ids.ulid_text(),
                "source": self.session.processor_id,
                "totals": {
                    "events": self.log.events,
                    "bytes": self.log.total_size,
                    "duration_ns": self._clock.now_ns() - self._started_at,
                },
            }
        )
        try:
            self.log.append("run.finished", data, forced=True)
        finally:  # whatever a listener does, the run has ended
            self.outlet.release()
            if self._on_finished is not None:
                self._on_finished(self)

    def _reference(self) -> str:
        return self._ids.run_id()[-_REFERENCE:]

    def _say_last_words(self, outcome: Outcome) -> None:
        self.outlet.forced = True
        self.response.close_streams()
        if outcome == "cancelled":
            self.response.emit_error_now(self._ending_reason or "The run was cancelled", 499)
        elif outcome == "deadline":
            self.response.emit_error_now(f"The run took longer than {self._limits.deadline:g} seconds", 504)
        elif outcome == "error" and self.failure is not None:
            failure = describe_failure(self, self.failure, reference=self._reference(), show=self._limits.show_errors)
            self.response.emit_error_now(failure.message, failure.code, failure.details)
