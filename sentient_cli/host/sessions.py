"""Server-side memory of sessions: turns, for clients that do not send them along, and the state of agents.

Sessions are kept within limits, as runs are: who asks under ever new ids must not fill the memory or the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from pydantic import ValidationError

from sentient_cli.clock import Clock, Ulid
from sentient_cli.errors import StoreError, VersionConflictError
from sentient_cli.host.masking import StreamMask
from sentient_cli.host.redacted import mask_json
from sentient_cli.host.retention import KeepLimits
from sentient_cli.redact import redactor
from sentient_cli.runtime.chunks import ChunkEncoder, ChunkEntry
from sentient_cli.runtime.events import encode_json
from sentient_cli.runtime.request import Interaction, Query
from sentient_cli.runtime.session import Session
from sentient_cli.runtime.state import STATE_PREFIX, SessionState
from sentient_cli.store.entry import LogEntry
from sentient_cli.store.ports import KeptRow, StateStore

__all__ = ["SessionMemory"]

MAX_INTERACTIONS = 200
MAX_SIZE = 1024 * 1024
_TRIES = 8
_PREFIX = "session/"
_PRUNE_EVERY = 32

_raw_items = msgspec.json.Decoder(list[msgspec.Raw])
_logger = logging.getLogger(__name__)


class SessionMemory:
    """Keeps the last 200 interactions of a session, at most 1 MiB of them, and what the agent remembers of it.

    Args:
        store: Where they are kept.
        clock: Tells their age, and waits between two tries when somebody else wrote first.
        limits: Of the sessions that are kept; None: there are none.
    """

    def __init__(self, store: StateStore, clock: Clock, limits: KeepLimits | None = None) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._until_pruning = 0

    async def prune(self) -> None:
        """Forget the sessions beyond the limits, those first that were written to the longest ago.

        Most calls do nothing.
        """
        self._until_pruning -= 1
        if self._limits is None or self._until_pruning > 0:
            return
        self._until_pruning = _PRUNE_EVERY
        try:
            sessions = await self._sessions()
            # To look at all of them takes the longer the more there are.
            self._until_pruning = max(_PRUNE_EVERY, len(sessions) // 16)
            for rows in _beyond(sessions, self._limits, self._clock.now_ns()):
                for row in rows:
                    with contextlib.suppress(VersionConflictError):  # it is in use again
                        await self._store.delete(row.key, expected=row.version)
        except StoreError:
            _logger.warning("Old sessions could not be removed from the store", exc_info=True)

    async def _sessions(self) -> list[list[KeptRow]]:
        """What is kept of each session."""
        found: dict[str, list[KeptRow]] = {}
        for prefix in (_PREFIX, STATE_PREFIX):
            after = ""
            while rows := await self._store.kept(prefix, after=after):
                after = rows[-1].key
                for row in rows:
                    found.setdefault(row.key.split("/")[1], []).append(row)
        return list(found.values())

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
            kept = [] if row is None else _raw_items.decode(row.value)
            return [Interaction.model_validate_json(bytes(item)) for item in kept]
        except (StoreError, msgspec.DecodeError, ValidationError):
            _logger.warning("The interactions of session %s could not be read", activity_id, exc_info=True)
            return []

    async def remember(self, session: Session, query: Query, entries: Sequence[LogEntry]) -> None:
        """Append a turn to its session, without the secrets in it.

        Args:
            session: Which.
            query: What was asked.
            entries: Those of the run, up to its end.
        """
        await asyncio.sleep(0)  # the client gets the end of its stream first
        item = mask_json(_encode_turn(session, query, _masked(_whole(entries))), redactor)
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
        await self._store.put(key, value, expected=0 if row is None else row.version, at=self._clock.now_ns())


def _beyond(sessions: list[list[KeptRow]], limits: KeepLimits, now: int) -> Iterator[list[KeptRow]]:
    """Those to be forgotten."""
    oldest_kept = now - int(limits.seconds * 1e9)
    held = used = 0
    for rows in sorted(sessions, key=lambda rows: max((row.at, row.version) for row in rows), reverse=True):
        used += sum(row.size for row in rows)
        too_old = 0 < max(row.at for row in rows) < oldest_kept
        if too_old or held >= limits.count or used > limits.size:
            yield rows
        else:
            held += 1


def _join_within_limits(items: list[bytes]) -> bytes:
    """The newest items, as many as may be kept, as a JSON list."""
    size = 2
    start = len(items)
    while start and len(items) - start < MAX_INTERACTIONS and size + len(items[start - 1]) + 1 <= MAX_SIZE:
        start -= 1
        size += len(items[start]) + 1
    return b"[" + b",".join(items[start:]) + b"]"


def _masked(entries: Sequence[LogEntry]) -> Sequence[LogEntry]:
    """The entries, with the secrets masked that stand in pieces of a stream."""
    if not entries:
        return entries
    passed: list[LogEntry] = []
    mask = StreamMask(redactor, lambda batch, _: passed.extend(batch))
    looked_at = mask.look_at(entries)
    mask.take(looked_at, harmless=not redactor.suspects(looked_at.text))
    return passed


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
    responses = [before + entry.data + b"}" for entry in _whole(entries) if entry.type == "event"]
    return b'{"request":' + encode_json(request) + b',"responses":[' + b",".join(responses) + b"]}"


def _whole(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The entries with the pieces of a text stream made one, as clients send them; no other event is passed."""
    whole: list[LogEntry] = []
    begun: dict[str, tuple[ChunkEntry, list[str]]] = {}
    last: ChunkEncoder | None = None
    texts: list[str] = []
    for entry in entries:
        if isinstance(entry, ChunkEntry):
            if entry.encoder is not last:
                last = entry.encoder
                first, texts = begun.setdefault(last.stream_id, (entry, []))
                if first.encoder is not last:  # the same stream, with other metadata
                    whole += _joined(begun)
                    begun.clear()
                    texts = begun.setdefault(last.stream_id, (entry, []))[1]
            texts.append(entry.text)
        else:
            if begun:
                whole += _joined(begun)
                begun.clear()
                last = None
            whole.append(entry)
    return [*whole, *_joined(begun)]


def _joined(begun: Mapping[str, tuple[ChunkEntry, Sequence[str]]]) -> Iterator[ChunkEntry]:
    for first, texts in begun.values():
        yield ChunkEntry(first.seq, first.at, first.encoder, first.event_id, "".join(texts))
