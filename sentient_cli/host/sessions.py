"""Server-side memory of sessions: turns, for clients that do not send them along, and the state of agents."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
from pydantic import TypeAdapter, ValidationError

from sentient_cli.clock import Clock, Ulid
from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.request import Interaction, Query
from sentient_cli.runtime.session import Session
from sentient_cli.runtime.state import SessionState
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.ports import StateStore

__all__ = ["SessionMemory"]

MAX_INTERACTIONS = 200
MAX_SIZE = 1024 * 1024
_TRIES = 8
_PREFIX = "session/"

_interactions = TypeAdapter(list[Interaction])
_raw_items = msgspec.json.Decoder(list[msgspec.Raw])
_logger = logging.getLogger(__name__)


class SessionMemory:
    """Keeps the last 200 interactions of a session, at most 1 MiB of them, and what the agent remembers of it.

    Args:
        store: Where they are kept.
        clock: Waits between two tries when somebody else wrote first.
    """

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep_state(self, session: Session) -> None:
        """Let the session's state be stored.

        Args:
            session: Of a run that is about to start.
        """
        session.keep_state(SessionState(self._store, session.activity_id, self._clock))

    async def load(self, activity_id: Ulid) -> list[Interaction]:
        """The interactions of a session, the oldest first; none when they cannot be read."""
        try:
            row = await self._store.get(_PREFIX + activity_id)
            return [] if row is None else _interactions.validate_json(row.value)
        except (StoreError, ValidationError):
            _logger.warning("The interactions of session %s could not be read", activity_id, exc_info=True)
            return []

    async def remember(self, session: Session, query: Query, entries: Sequence[LogEntry]) -> None:
        """Append a turn to its session.

        Args:
            session: Which.
            query: What was asked.
            entries: Those of the run.
        """
        item = _encode_turn(session, query, entries)
        if len(item) > MAX_SIZE:
            _logger.warning("A turn of session %s is too large to be kept: %d bytes", session.activity_id, len(item))
            return
        for attempt in range(_TRIES):
            try:
                await self._append(_PREFIX + session.activity_id, item)
            except VersionConflictError:
                await self._clock.sleep(0.01 * 2**attempt)
            except (StoreError, msgspec.DecodeError):
                break
            else:
                return
        _logger.warning("A turn of session %s could not be kept", session.activity_id)

    async def _append(self, key: str, item: bytes) -> None:
        row = await self._store.get(key)
        items = [] if row is None else _raw_items.decode(row.value)
        value = _join_within_limits([*(bytes(kept) for kept in items), item])
        await self._store.put(key, value, expected=0 if row is None else row.version)


def _join_within_limits(items: list[bytes]) -> bytes:
    """The newest items, as many as may be kept, as a JSON list."""
    size = 2
    start = len(items)
    while start and len(items) - start < MAX_INTERACTIONS and size + len(items[start - 1]) + 1 <= MAX_SIZE:
        start -= 1
        size += len(items[start]) + 1
    return b"[" + b",".join(items[start:]) + b"]"


def _encode_turn(session: Session, query: Query, entries: Sequence[LogEntry]) -> bytes:
    """The JSON of an `Interaction`, put together from the events as they are: decoding them would block the loop."""
    source = session.processor_id
    request: dict[str, object] = {
        "sender": None,
        "recipients": [source],
        "event": {
            "id": session.request_id,
            "chatId": session.activity_id,
            "content": {
                "capability": "assist",
                "request_payload": {"parts": [{"prompt": query.prompt, "fileIds": []}]},
            },
            "parent_request_id": None,
            "root_request_id": session.request_id,
        },
    }
    before = b'{"sender":' + encode_json(source) + b',"recipients":null,"event":'
    responses = [before + entry.data + b"}" for entry in entries if entry.type == "event"]
    return b'{"request":' + encode_json(request) + b',"responses":[' + b",".join(responses) + b"]}"
