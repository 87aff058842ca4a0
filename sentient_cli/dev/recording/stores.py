"""Where a worker keeps things: runs through its hub, sessions in a database that all generations share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sentient_cli.dev.recording.hublog import HubLog
from sentient_cli.errors import StoreError
from sentient_cli.store.database import Database
from sentient_cli.store.memory import MemoryStateStore
from sentient_cli.store.open import STATE_FILE, Stores
from sentient_cli.store.sqlite import SQLiteStateStore

if TYPE_CHECKING:
    from sentient_cli.dev.channel import Channel

__all__ = ["open_recordings"]


class _Frames:
    """Sends frames of entries over a channel.

    Args:
        channel: Leads to the hub.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, kind: int, header: bytes, payload: bytes) -> None:
        self._channel.send(payload, kind=kind, head=header + b"\n")

    async def drain(self) -> None:
        await self._channel.drain()


async def open_recordings(directory: Path, channel: Channel) -> tuple[Stores, tuple[str, ...]]:
    """The stores of a worker, and what the user should know about them.

    Where sessions cannot be written, as on a disk that is full, they are kept in memory: it is the agent that counts.

    Args:
        directory: Where the hub records.
        channel: Leads to the hub.
    """
    runs = HubLog(directory, _Frames(channel))
    database = Database(directory / STATE_FILE)
    state = SQLiteStateStore(database)
    try:
        await database.open()
    except StoreError as error:
        await state.aclose()
        return Stores(runs, MemoryStateStore()), (f"Sessions are forgotten at each reload: {error.what}. {error.why}",)
    return Stores(runs, state), ()
