"""A run's events on one connection."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from sentient_cli.errors import CursorExpiredError
from sentient_cli.runtime.run import Run
from sentient_cli.server.frames import HEARTBEAT, encode_entries
from sentient_cli.server.wake import Wake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Receive, Scope, Send

__all__ = ["SSE_HEADERS", "StreamSettings", "stream_run"]

SSE_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)

_BATCH = 256
_logger = logging.getLogger(__name__)


class StreamSettings(Protocol):
    """What a stream needs to know of the server's settings; all in seconds."""

    @property
    def heartbeat(self) -> float:
        """Between two comments on a silent stream."""
        ...

    @property
    def send_timeout(self) -> float:
        """How long a client may take nothing."""
        ...

    @property
    def on_disconnect(self) -> str:
        """``cancel`` or ``continue``."""
        ...

    @property
    def disconnect_grace(self) -> float:
        """How long a client that left may come back."""
        ...


class _ClientIsSlowError(Exception):
    """Nothing could be sent for as long as is allowed."""


async def stream_run(
    run: Run, after: int, settings: StreamSettings, scope: Scope, receive: Receive, send: Send, *, owner: bool
) -> None:
    """Send a run's events from a cursor on, then live, to the end. The response has been started.

    Args:
        run: The run.
        after: The last seq that the client has.
        settings: Heartbeat and time limits.
        scope: Of the connection.
        receive: Tells when the client leaves.
        send: Takes the body.
        owner: Whether the connection started the run, and so holds the agent back when it reads slowly.
    """
    wake = Wake()
    run.log.subscribe(wake.ring)
    watcher = asyncio.get_running_loop().create_task(_watch(receive, wake))
    try:
        await _pump(run, after, settings, wake, send, owner=owner)
    except _ClientIsSlowError:
        _abort(scope)
    except CursorExpiredError:
        _logger.info("A watcher of run %s was too slow and is cut off", run.id, extra={"run_id": run.id})
        _abort(scope)
    finally:
        watcher.cancel()
        run.log.unsubscribe(wake.ring)
        if owner:
            run.disown()
        _leave(run, settings)


async def _pump(run: Run, after: int, settings: StreamSettings, wake: Wake, send: Send, *, owner: bool) -> None:
    log = run.log
    if owner:
        run.own(after)
    while not wake.left:
        entries = log.read(after, _BATCH)
        if entries:
            after = entries[-1].seq
            last = entries[-1].type == "run.finished"
            body = encode_entries(entries)
            if body:
                await _send(send, body, settings.send_timeout, more=not last)
            if last:
                return
            if owner:
                run.own(after, sum([len(entry.data) for entry in entries]))
        elif not await wake.wait(settings.heartbeat):
            await _send(send, HEARTBEAT, settings.send_timeout, more=True)


async def _send(send: Send, body: bytes, seconds: float, *, more: bool) -> None:
    try:
        async with asyncio.timeout(seconds):
            await send({"type": "http.response.body", "body": body, "more_body": more})
    except TimeoutError:
        raise _ClientIsSlowError from None


async def _watch(receive: Receive, wake: Wake) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    wake.leave()


def _abort(scope: Scope) -> None:
    abort = scope.get("sentient.abort")
    if abort is not None:
        abort()


def _leave(run: Run, settings: StreamSettings) -> None:
    """The log knows no disconnect; here it is decided what becomes of a run that nobody reads any more."""
    if run.log.finished or settings.on_disconnect != "cancel" or run.log.readers:
        return

    def cancel_if_alone() -> None:
        if not run.log.readers and not run.log.finished:
            run.cancel("The client went away")

    asyncio.get_running_loop().call_later(settings.disconnect_grace, cancel_if_alone)
