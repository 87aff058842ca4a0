"""A run's events on one connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from sentient_cli.errors import CursorExpiredError
from sentient_cli.runtime.run import Run
from sentient_cli.server.frames import HEARTBEAT, encode_entries
from sentient_cli.server.wake import Wake

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["SSE_HEADERS", "Connection", "stream_run"]

SSE_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)

_BATCH = 256
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

    __slots__ = ("_receive", "_scope", "_send", "_watcher", "wake")

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, heartbeat: float, send_timeout: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self.wake = Wake(heartbeat, send_timeout)
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    @property
    def left(self) -> bool:
        """Whether the client is gone."""
        return self.wake.left

    async def send(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece of the stream."""
        wake = self.wake
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
            abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.wake.close()
        self._watcher.cancel()
        if kind is asyncio.CancelledError and self.wake.slow:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            self.abort()
            return True
        return False


async def stream_run(run: Run, after: int, connection: Connection, *, owner: bool) -> None:
    """Send a run's events from a cursor on, then live, to the end. The response has been started.

    Args:
        run: The run.
        after: The last seq that the client has.
        connection: The client.
        owner: Whether the client started the run, and so holds the agent back when it reads slowly.
    """
    log = run.log
    wake = connection.wake
    log.attach()
    if owner:
        run.outlet.own(after, log.total_size if after else 0)
    try:
        while not wake.left:
            entries = log.read(after, _BATCH)
            if entries:
                after = entries[-1].seq
                last = entries[-1].type == "run.finished"
                # The owner is never a batch behind: where it is, so many bytes are sent, and perhaps a few more.
                total_size = log.total_size
                if body := encode_entries(entries):
                    await connection.send(body, more=not last)
                if last:
                    return
                if owner:
                    run.outlet.own(after, total_size)
            else:
                log.wake_once(wake.ring)
                if not await wake.wait():
                    await connection.send(HEARTBEAT)
    except CursorExpiredError:
        _logger.info("A watcher of run %s was too slow and is cut off", run.id, extra={"run_id": run.id})
        connection.abort()
    finally:
        log.detach(wake.ring)
        if owner:
            run.outlet.disown()
