"""Server-side memory of sessions, for clients that do not send their interactions along."""

from __future__ import annotations

import logging

import msgspec

from sentient_cli.clock import Clock, Ulid
from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.runtime.events import decode_event
from sentient_cli.runtime.request import (
    AssistRequest,
    AssistRequestContent,
    AssistRequestContentPart,
    AssistRequestContentParts,
    Interaction,
    RequestMessage,
    ResponseMessage,
)
from sentient_cli.runtime.run import Run
from sentient_cli.store.ports import StateStore

__all__ = ["SessionMemory"]

MAX_INTERACTIONS = 200
MAX_SIZE = 1024 * 1024
_TRIES = 8
_PREFIX = "session/"

_logger = logging.getLogger(__name__)


class SessionMemory:
    """Keeps the last 200 interactions of a session, and at most 1 MiB of them.

    Args:
        store: Where they are kept.
        clock: Waits between two tries when somebody else wrote first.
    """

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def load(self, activity_id: Ulid) -> list[Interaction]:
        """The interactions of a session, the oldest first; none when they cannot be read."""
        try:
            row = await self._store.get(_PREFIX + activity_id)
        except StoreError:
            _logger.warning("The interactions of session %s could not be read", activity_id, exc_info=True)
            return []
        return [] if row is None else [Interaction.model_validate(item) for item in _decode(row.value)]

    async def remember(self, run: Run) -> None:
        """Append the interaction of a finished run to its session."""
        item = msgspec.Raw(_interaction(run).model_dump_json(by_alias=True).encode())
        key = _PREFIX + run.session.activity_id
        for attempt in range(_TRIES):
            try:
                row = await self._store.get(key)
                items = [] if row is None else msgspec.json.decode(row.value, type=list[msgspec.Raw])
                await self._store.put(key, _trimmed([*items, item]), expected=0 if row is None else row.version)
            except VersionConflictError:
                await self._clock.sleep(0.01 * 2**attempt)
            except StoreError:
                _logger.warning("The interaction of run %s could not be kept", run.id, exc_info=True)
                return
            else:
                return
        _logger.warning("The interaction of run %s was not kept: the session changes all the time", run.id)


def _decode(value: bytes) -> list[object]:
    return msgspec.json.decode(value, type=list[object])


def _trimmed(items: list[msgspec.Raw]) -> bytes:
    items = items[-MAX_INTERACTIONS:]
    sizes = [len(bytes(item)) + 1 for item in items]
    total = sum(sizes)
    start = 0
    while total > MAX_SIZE and start < len(items):
        total -= sizes[start]
        start += 1
    return msgspec.json.encode(items[start:])


def _interaction(run: Run) -> Interaction:
    request_id = run.session.request_id
    part = AssistRequestContentPart(prompt=run.query.prompt, fileIds=[])
    request = AssistRequest(
        id=request_id,
        chatId=run.session.activity_id,
        content=AssistRequestContent(request_payload=AssistRequestContentParts(parts=[part])),
    )
    source = run.session.processor_id
    after = run.log.first_seq - 1
    events: list[ResponseMessage] = []
    while entries := run.log.read(after):
        after = entries[-1].seq
        events += [
            ResponseMessage(sender=source, recipients=None, event=decode_event(entry.data))
            for entry in entries
            if entry.type == "event"
        ]
    return Interaction(request=RequestMessage(sender=None, recipients={source}, event=request), responses=events)
