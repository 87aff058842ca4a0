"""Events of a run that goes on in another process: read from the store that both have, as they get there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from sentient_cli.errors import CursorError, CursorExpiredError, RunNotFoundError
from sentient_cli.server.frames import HEARTBEAT, encode_entries

if TYPE_CHECKING:
    from sentient_cli.host.stored import StoredRun, StoredRuns
    from sentient_cli.server.stream import Connection

__all__ = ["await_cursor", "follow_stored"]

_PAUSE = 0.25
_TRIES = 4

_logger = logging.getLogger(__name__)


async def await_cursor(stored: StoredRuns, run: StoredRun, after: int) -> StoredRun:
    """The run, once its store has what a cursor names: the clients of a run are a moment ahead of its store.

    Args:
        stored: Looks into the store.
        run: The run as it was found.
        after: The cursor.

    Raises:
        CursorError: nothing of the kind gets there within a second.
        RunNotFoundError: it is gone meanwhile.
    """
    for _ in range(_TRIES):
        if after <= run.last_seq or not run.going_on:
            return run
        await asyncio.sleep(_PAUSE)
        run = await stored.find(run.run_id)
    raise CursorError(f"Run {run.run_id} has no entry {after} yet", why=f"Its last is {run.last_seq}")


async def follow_stored(
    stored: StoredRuns, run_id: str, after: int, connection: Connection, is_leaving: Callable[[], bool]
) -> None:
    """Send the events of a run from a cursor on, then those that are stored later, to its end.

    When there is no end, since its process was killed, the connection is cut: no client takes that for an end.

    Args:
        stored: Looks into the store.
        run_id: The run.
        after: The last seq that the client has.
        connection: The client. The response has been started.
        is_leaving: Whether this server drains; then the client has to come back to another one.
    """
    try:
        while not connection.left:
            entries = await stored.read(run_id, after)
            if entries:
                after = entries[-1].seq
                finished = entries[-1].type == "run.finished"
                await connection.send(encode_entries(entries), more=not finished)
                if finished:
                    return
                continue
            run = await stored.find(run_id)
            if not run.finished and (not run.going_on or is_leaving()):
                break
            await _pause(connection)
    except (CursorExpiredError, RunNotFoundError):
        pass
    if not connection.left:
        _logger.info("The stream of run %s, which another server runs, is cut off", run_id, extra={"run_id": run_id})
        connection.abort()


async def _pause(connection: Connection) -> None:
    timer = asyncio.get_running_loop().call_later(_PAUSE, connection.wake.ring)
    try:
        if not await connection.wake.wait():
            await connection.send(HEARTBEAT)
    finally:
        timer.cancel()
