"""One conversation with one agent: a turn is a question, its answer, and what became of it."""

from __future__ import annotations

import asyncio
import signal
from enum import Enum
from typing import TYPE_CHECKING

from sentient_cli.client.agent_client import AgentClient
from sentient_cli.client.session import ClientSession
from sentient_cli.errors import SentientError
from sentient_cli.runtime.events import Event, is_done, is_error, is_text_chunk
from sentient_cli.signals import on_signals

if TYPE_CHECKING:
    from sentient_cli.chat.view import View
    from sentient_cli.client.answer import Answer
    from sentient_cli.client.transport import Timeouts

__all__ = ["Conversation", "Outcome"]

_CLIENT_CLOSED_REQUEST = 499


class Outcome(Enum):
    """How a turn ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class Conversation:
    """Asks one question after the other in one session.

    Args:
        url: Where the agent is.
        token: Its bearer token.
        timeouts: How long to wait.

    Raises:
        UsageError: the URL is none of http or https.
    """

    def __init__(self, url: str, *, token: str | None = None, timeouts: Timeouts | None = None) -> None:
        self._observer = _Observer()
        self._client = AgentClient(url, token=token, timeouts=timeouts, observer=self._observer)
        self.url: str = self._client.url
        self.session: ClientSession = ClientSession()
        self.run_id: str | None = None
        """What the server calls the last run; None where it names none, or was not reached."""

    def renew(self) -> None:
        """Begin a new session."""
        self.session = ClientSession()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def turn(self, prompt: str, view: View) -> Outcome:
        """Ask, and show the answer as it comes. An interrupt stops the run, a second one does not wait for its end.

        Raises:
            SentientError: the answer could not be had, or not to its end.
        """
        self._observer.view, self._observer.resumed = view, False
        turn = _Turn(self._client, self.session, prompt, view)
        task = asyncio.create_task(turn.run())
        with on_signals([signal.SIGINT], lambda: turn.interrupt(task)):
            await asyncio.wait({task})
        await turn.settle()
        self.run_id = turn.run_id
        if task.cancelled():
            view.end()  # no end of the open streams comes any more
            return Outcome.STOPPED
        error = task.exception()
        if error is not None and not (turn.interrupted and isinstance(error, SentientError)):
            raise error
        view.end()
        if self._observer.resumed:
            view.notice("The connection broke and was resumed; nothing is missing")
        return Outcome.STOPPED if turn.interrupted else turn.outcome


class _Turn:
    def __init__(self, client: AgentClient, session: ClientSession, prompt: str, view: View) -> None:
        self.interrupted = False
        self.outcome = Outcome.DONE
        self._client = client
        self._session = session
        self._prompt = prompt
        self._view = view
        self._answer: Answer | None = None
        self._stopping: asyncio.Task[bool] | None = None

    @property
    def run_id(self) -> str | None:
        return self._answer.run_id if self._answer is not None else None

    async def run(self) -> None:
        self._view.waiting()
        async with self._client.ask(self._prompt, self._session) as self._answer:
            async for event in self._answer:
                self._note(event)
                if not self._is_echo_of_interrupt(event):
                    self._view.show(event, self._answer.raw)

    def interrupt(self, task: asyncio.Task[None]) -> None:
        """Stop the run where the server can; else, and the second time, let go of it."""
        if self.interrupted or self._answer is None or self._answer.run_id is None:
            task.cancel()
        else:
            self._view.status("Stopping")
            self._stopping = asyncio.create_task(self._answer.cancel())
        self.interrupted = True

    async def settle(self) -> None:
        """Wait until the request to stop was sent, or give it up when the answer ended before."""
        if self._stopping is not None:
            await asyncio.wait({self._stopping}, timeout=1)
            self._stopping.cancel()
            await asyncio.gather(self._stopping, return_exceptions=True)

    def _note(self, event: Event) -> None:
        # An error ends the run when nothing but the end of streams follows it.
        if is_error(event):
            self.outcome = Outcome.FAILED
        elif not (is_done(event) or (is_text_chunk(event) and event.is_complete)):
            self.outcome = Outcome.DONE

    def _is_echo_of_interrupt(self, event: Event) -> bool:
        return self.interrupted and is_error(event) and event.content.error_code == _CLIENT_CLOSED_REQUEST


class _Observer:
    """Passes on what the client says to the view of the current turn."""

    view: View | None = None
    resumed = False

    def reconnecting(self, attempt: int, tries: int) -> None:
        if self.view is not None:
            self.view.status(f"Connection lost, resuming ({attempt} of {tries})")

    def reconnected(self) -> None:
        self.resumed = True

    def passed_over(self, content_type: str) -> None:
        if self.view is not None:
            self.view.notice(f"An event of the unknown type {content_type[:60]!r} was left out")
