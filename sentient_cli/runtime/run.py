"""A run: one query to one agent, as a task of its own with a log of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sentient_cli.clock import Clock, Ids
from sentient_cli.errors import InvalidEventError, ResponseClosedError, RunOverflowError
from sentient_cli.runtime.agent import AgentLike
from sentient_cli.runtime.events import Event, encode_json
from sentient_cli.runtime.faults import describe_failure
from sentient_cli.runtime.log import RunLog
from sentient_cli.runtime.request import Query
from sentient_cli.runtime.response import Response
from sentient_cli.runtime.session import Session

__all__ = ["Outcome", "Run", "RunLimits", "current_run"]

Outcome: TypeAlias = Literal["done", "error", "cancelled", "deadline"]
"""How a run ended."""

current_run: contextvars.ContextVar[Run | None] = contextvars.ContextVar("sentient_current_run", default=None)
"""The run that the current task belongs to, or None outside of runs."""

_logger = logging.getLogger(__name__)

MAX_EVENT_SIZE = 16 * 1024 * 1024
_TURN_EVENTS = 32
_TURN_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class RunLimits:
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
        on_ending: Called once, before the last entries.
        on_finished: Called once, after the terminal entry.
    """

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
        facts: dict[str, object] | None = None,
        on_ending: Callable[[Run], None] | None = None,
        on_finished: Callable[[Run], None] | None = None,
    ) -> None:
        self.id = run_id
        self.agent_name = agent_name
        self.session = session
        self.query = query
        self.log = log
        self.closed = False
        """Whether the log has its terminal entry."""
        self.pressed = True
        """Whether it is time to let others have their turn, or to wait for the owner."""
        self.outcome: Outcome | None = None
        self.task: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None
        self.log_lines = 0
        """How many lines of logging, warnings and prints are in the log."""
        self.response = Response(self, session.processor_id, ids)
        self._agent: AgentLike | None = agent
        self._limits = limits
        self._clock = clock
        self._ids = ids
        self._facts = facts or {}
        self._on_ending = on_ending
        self._on_finished = on_finished
        self._ending: Outcome | None = None
        self._ending_reason = ""
        self._last_words = False
        self._timer: asyncio.TimerHandle | None = None
        self._started_at = 0
        self._events = 0
        self._credit = 0
        self._turn_end = 0
        self._size_end = 0
        self._owner_seq: int | None = None
        self._owner_size = 0
        self._owner_moved: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- the sink that the response writes to ------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Append an event to the log.

        Raises:
            ResponseClosedError: the run has ended.
            InvalidEventError: the event is too large.
            RunOverflowError: nobody reads, and the log is full; the run ends.
        """
        self.emit_encoded(encode_json(event))

    def emit_encoded(self, data: bytes) -> None:
        """Append an event, given as its wire JSON, to the log; otherwise like `emit`."""
        if self.closed:
            raise ResponseClosedError("The run has ended", fix="Emit everything before the response ends")
        if len(data) > MAX_EVENT_SIZE:
            raise InvalidEventError(
                f"The event has {len(data)} bytes", why=f"At most {MAX_EVENT_SIZE} are allowed", fix="Split it"
            )
        log = self.log
        try:
            log.append("event", data, forced=self._last_words)
        except RunOverflowError as error:
            self._overflow(error)
            raise
        self._events += 1
        self._credit -= 1
        if self._credit <= 0 or log.last_at >= self._turn_end or log.total_size >= self._size_end:
            self.pressed = True

    def _overflow(self, error: RunOverflowError) -> None:
        self.failure = error
        self._finish("error")
        if self.task is not None:
            self.task.cancel()

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

    async def flow(self) -> None:
        """Give others their turn, and wait while the owner is too far behind.

        A turn is 32 events or 1 ms, so that runs share fairly; the first event is a turn too, and so is sent at once.
        """
        await asyncio.sleep(0)
        while self._owner_is_behind():
            if self._owner_moved is None or self._owner_moved.done():
                self._owner_moved = asyncio.get_running_loop().create_future()
            # Several tasks of an agent may wait here: that one of them is cancelled must not wake the others.
            await asyncio.shield(self._owner_moved)
        self._begin_turn()

    def _begin_turn(self) -> None:
        self.pressed = False
        self._turn_end = self._clock.now_ns() + _TURN_NS
        self._credit = _TURN_EVENTS
        self._size_end = sys.maxsize
        if self._owner_seq is not None:
            self._credit = min(_TURN_EVENTS, self._owner_seq + self._limits.unsent_entries - self.log.last_seq)
            self._size_end = self._owner_size + self._limits.unsent_size

    def complete(self) -> None:
        """The agent has said all it has to say: the log ends, though the agent may go on for a while."""
        self._finish(self._ending or "done")

    # -- the owner: the connection that started the run --------------------------------------------------------------

    def _owner_is_behind(self) -> bool:
        if self._owner_seq is None or self.log.finished:
            return False
        return (
            self.log.last_seq - self._owner_seq >= self._limits.unsent_entries
            or self.log.total_size - self._owner_size >= self._limits.unsent_size
        )

    def own(self, seq: int, size: int = 0) -> None:
        """The owner has sent everything up to ``seq``, ``size`` bytes of data more than before."""
        self._owner_seq = seq
        self._owner_size += size
        self.log.acknowledge(seq)
        self._release()

    def disown(self) -> None:
        """The owner is gone: nobody holds the agent back any more."""
        self._owner_seq = None
        self.log.acknowledge(None)
        self._release()

    def _release(self) -> None:
        moved = self._owner_moved
        if moved is not None and not moved.done():
            moved.set_result(None)

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
            self.failure = None if self._ending else error
        except BaseException as error:  # noqa: BLE001 - SystemExit in an agent must not end the server
            self.failure = error

    def _conclude(self, _task: asyncio.Task[None]) -> None:
        failure = self.failure
        if not self.log.finished:
            self._finish(self._ending or ("done" if failure is None else "error"))
        elif failure is not None and not isinstance(failure, ResponseClosedError | RunOverflowError):
            describe_failure(self, failure, "after the response was complete")
        if failure is not None and failure.__traceback__ is not None:
            traceback.clear_frames(failure.__traceback__)  # the agent's variables are not kept with the run

    def forget(self) -> None:
        """Let go of what only a live run needs, since finished ones are kept for a while."""
        self.session = Session(self.session.processor_id, self.session.activity_id, self.session.request_id)
        self._agent = None

    def _finish(self, outcome: Outcome) -> None:
        if self.log.finished:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._on_ending is not None:
            self._on_ending(self)
        try:
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
                    "events": self._events,
                    "bytes": self.log.total_size,
                    "duration_ns": self._clock.now_ns() - self._started_at,
                },
            }
        )
        self.closed = True
        self.log.append("run.finished", data, forced=True)
        self._release()
        if self._on_finished is not None:
            self._on_finished(self)

    def _say_last_words(self, outcome: Outcome) -> None:
        self._last_words = True
        self.response.close_streams()
        if outcome == "cancelled":
            self.response.emit_error_now(self._ending_reason or "The run was cancelled", 499)
        elif outcome == "deadline":
            self.response.emit_error_now(f"The run took longer than {self._limits.deadline:g} seconds", 504)
        elif outcome == "error" and self.failure is not None:
            failure = describe_failure(self, self.failure, show=self._limits.show_errors)
            self.response.emit_error_now(failure.message, failure.code, failure.details)
