"""A run's events on one connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from sentient_cli.errors import CursorExpiredError
from sentient_cli.runtime.log import RunLog
from sentient_cli.runtime.run import Run
from sentient_cli.server.frames import HEARTBEAT, encode_entries
from sentient_cli.server.ledger import page_of
from sentient_cli.server.wake import Wake

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from sentient_cli.store.entry import LogEntry

__all__ = ["SSE_HEADERS", "Connection", "await_departure", "stream_run"]

SSE_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)

_BATCH = 256
_FULL_TURN = 32
_FLOOD = 128
_ABORT_TIMEOUT = 1.0
_logger = logging.getLogger(__name__)


class Connection:
    """One client that is sent a stream. Use it as a context manager.

    Leaving it early, because the client is gone or takes nothing, is no error: `left` says so.

    Args:
        scope: Of the request.
        receive: Tells when the client leaves.
        send: Takes the body.
        heartbeat: Seconds of silence after which a comment is sent.
        send_timeout: Seconds that the client may take nothing.
    """

    __slots__ = ("_aborted", "_page", "_receive", "_scope", "_send", "_watcher", "wake")

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, heartbeat: float, send_timeout: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._aborted = False
        self._page = page_of(scope)
        self.wake: Wake = Wake(heartbeat, send_timeout)
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    @property
    def left(self) -> bool:
        """Whether the client is gone."""
        return self.wake.left

    async def send(self, body: bytes, *, more: bool = True, seq: int | None = None) -> None:
        """Send a piece of the stream.

        Args:
            body: Whole frames.
            more: Whether there will be more.
            seq: That of the last frame, or of an entry behind it.
        """
        wake, page = self.wake, self._page
        if page is not None:
            if not more:
                page.end()
            elif seq is not None:
                page.mark(seq)
        wake.begin_send()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        wake.end_send()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.wake.leave()

    def abort(self) -> None:
        """Cut the connection, with what is still unsent."""
        abort = self._scope.get("sentient.abort")
        if abort is not None:
            self._aborted = True
            abort()

    async def gone(self) -> None:
        """Return once an aborted connection is closed: an answer without an end is then no fault."""
        if self._aborted:
            await await_departure(self._receive)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.wake.close()
        self._watcher.cancel()
        if kind is asyncio.CancelledError and self.wake.slow:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            run_id = self._scope.get("sentient.run_id", "")
            told = "A client took nothing of run %s for %g s and is dropped"
            _logger.info(told, run_id, self.wake.patience, extra={"run_id": run_id})
            self.abort()
            return True
        return False


async def await_departure(receive: Receive) -> None:
    """Return once a client is gone whose connection was aborted.

    Args:
        receive: That of its request.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ABORT_TIMEOUT):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _with_more(log: RunLog, entries: list[LogEntry]) -> list[LogEntry]:
    """Entries with those of the next turns, while the agent floods: few large sends cost less than many small ones."""
    added = len(entries)
    while added >= _FULL_TURN and len(entries) < _FLOOD and not log.finished:
        await asyncio.sleep(0)
        more = log.read(entries[-1].seq, _BATCH)
        added = len(more)
        entries = [*entries, *more]
    return entries


async def stream_run(run: Run, after: int, connection: Connection, *, owner: bool) -> None:
    """Send a run's events from a cursor on, then live, to the end. The response has been started.

    Args:
        run: The run.
        after: The last seq that the client has.
        connection: The client.
        owner: Whether the client started the run, and so holds the agent back when it reads slowly.
    """
    log = run.log
    log.attach()
    if owner:
        run.outlet.own(after, 0)
    try:
        await _pump(run, after, connection, owner=owner)
    except CursorExpiredError:
        _logger.info("A watcher of run %s was too slow and is cut off", run.id, extra={"run_id": run.id})
        connection.abort()
    finally:
        log.detach(connection.wake.ring)
        if owner:
            run.outlet.disown()


async def _pump(run: Run, after: int, connection: Connection, *, owner: bool) -> None:
    log = run.log
    wake = connection.wake
    while not wake.left:
        entries = log.read(after, _BATCH)
        if not entries:
            log.wake_once(wake.ring)
            if not await wake.wait():
                await connection.send(HEARTBEAT)
            continue
        if len(entries) >= _FULL_TURN:
            entries = await _with_more(log, entries)
        after = entries[-1].seq
        last = entries[-1].type == "run.finished"
        # The owner is never far behind: where it is, so many bytes are sent, and perhaps a few more.
        total_size = log.total_size
        if body := encode_entries(entries):
            await connection.send(body, more=not last, seq=after)
        if last:
            return
        if owner:
            run.outlet.own(after, total_size)
