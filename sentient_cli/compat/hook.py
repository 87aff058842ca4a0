"""The framework's queue of events, and its ids."""

from __future__ import annotations

import asyncio

from sentient_cli.clock import Ulid
from sentient_cli.compat.events import BaseEvent, Event
from sentient_cli.compat.identity import new_ulid

__all__ = ["DefaultHook", "DefaultIdGenerator"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _successor(ulid: Ulid) -> Ulid:
    head = ulid.rstrip("Z")
    return Ulid(head[:-1] + _ALPHABET[_ALPHABET.index(head[-1]) + 1] + "0" * (26 - len(head)))


class DefaultIdGenerator:
    """Gives ids that strictly increase.

    Args:
        seed_id: Every id given is greater than this one.
    """

    def __init__(self, seed_id: Ulid | None = None) -> None:
        self._latest = seed_id or new_ulid()

    async def get_next_id(self, new_id: Ulid | None = None, offset: int = 10) -> Ulid:  # noqa: ARG002 - theirs
        """An id greater than every one given before.

        Args:
            new_id: Taken when it is great enough.
            offset: Not used: an id that is not great enough is replaced by the one after the latest.
        """
        wanted = new_id or new_ulid()
        self._latest = wanted if wanted > self._latest else _successor(self._latest)
        return self._latest


class DefaultHook:
    """Puts events into a queue.

    Args:
        queue: Takes the events.
        id_generator: Makes their ids increase.
        timeout_ms: Milliseconds that an event may wait for a place; None: for ever.
    """

    def __init__(
        self, queue: asyncio.Queue[Event], id_generator: DefaultIdGenerator | None = None, timeout_ms: int | None = None
    ) -> None:
        self._queue = queue
        self._ids = id_generator or DefaultIdGenerator()
        self._timeout = timeout_ms / 1000 if timeout_ms else None

    async def emit(self, event: Event) -> None:
        """Put an event into the queue.

        Raises:
            TimeoutError: there was no place for it in time.
        """
        if isinstance(event, BaseEvent):
            event.id = await self._ids.get_next_id(event.id)
        async with asyncio.timeout(self._timeout):
            await self._queue.put(event)
