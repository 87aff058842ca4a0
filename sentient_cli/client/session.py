"""The client's side of a session: what it sends of the turns before.

The shape of an interaction is that of the public client (``chatId`` and ``fileIds`` are its names on the wire); a
follow-up names the request before it as its parent and the first one as its root.
"""

from __future__ import annotations

from collections import deque

import msgspec

from sentient_cli.clock import Ids, SystemClock, SystemIds, Ulid
from sentient_cli.runtime.events import DoneEvent, Event, TextChunkEvent, encode_event, encode_json

__all__ = ["ClientSession", "Turn"]

MAX_INTERACTIONS = 200
MAX_INTERACTION_BYTES = 1024 * 1024
_USER = "user"


class _Part(msgspec.Struct, frozen=True):
    prompt: str
    file_ids: list[str] = msgspec.field(name="fileIds")


class _Payload(msgspec.Struct, frozen=True):
    parts: list[_Part]


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    capability: str = "assist"
    request_payload: _Payload


class _AssistRequest(msgspec.Struct, frozen=True):
    id: str
    chat_id: str = msgspec.field(name="chatId")
    content: _Content
    parent_request_id: str | None
    root_request_id: str


class _RequestMessage(msgspec.Struct, frozen=True):
    sender: str
    recipients: list[str]
    event: _AssistRequest


class _ResponseMessage(msgspec.Struct, frozen=True):
    sender: str
    recipients: list[str]
    event: msgspec.Raw


class _Interaction(msgspec.Struct, frozen=True):
    request: _RequestMessage
    responses: list[_ResponseMessage]


class _Query(msgspec.Struct, frozen=True):
    id: str
    prompt: str


class _Session(msgspec.Struct, frozen=True):
    processor_id: str
    activity_id: str
    request_id: str
    interactions: list[msgspec.Raw]


class _Body(msgspec.Struct, frozen=True):
    query: _Query
    session: _Session


class Turn:
    """One question of a session and the events that answered it.

    Args:
        prompt: What was asked.
        request_id: The id of this request; greater than those of the turns before.
        parent_request_id: The id of the request before, or None in the first turn.
        root_request_id: The id of the first request of the session.
    """

    def __init__(self, prompt: str, request_id: Ulid, parent_request_id: Ulid | None, root_request_id: Ulid) -> None:
        # What a terminal could not decode stands as lone surrogates, which no JSON carries.
        self.prompt: str = prompt.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        self.request_id = request_id
        self.parent_request_id = parent_request_id
        self.root_request_id = root_request_id
        self._parts: list[Event | _TextStream] = []
        self._streams: dict[str, _TextStream] = {}

    def add(self, event: Event) -> None:
        """Keep an event of the answer; the pieces of a text stream become one."""
        if isinstance(event, TextChunkEvent):
            stream = self._streams.get(event.stream_id)
            if stream is None:
                stream = self._streams[event.stream_id] = _TextStream()
                self._parts.append(stream)
            stream.add(event)
        elif not isinstance(event, DoneEvent):
            self._parts.append(event)

    def events(self) -> list[Event]:
        """The answer, in the order in which its parts began; a text stream is one chunk, and the closing one."""
        found: list[Event] = []
        for part in self._parts:
            if isinstance(part, _TextStream):
                found.extend(part.events())
            else:
                found.append(part)
        return found


class _TextStream:
    def __init__(self) -> None:
        self._first: TextChunkEvent | None = None
        self._closing: TextChunkEvent | None = None
        self._pieces: list[str] = []

    def add(self, event: TextChunkEvent) -> None:
        if event.is_complete:
            self._closing = event
        else:
            self._first = self._first or event
            self._pieces.append(event.content)

    def events(self) -> list[Event]:
        found: list[Event] = []
        if self._first is not None:
            found.append(msgspec.structs.replace(self._first, content="".join(self._pieces)))
        if self._closing is not None:
            found.append(self._closing)
        return found


class ClientSession:
    """A chat with one agent: the ids that it keeps and the turns that it remembers.

    At most 200 turns and 1 MiB of them are sent; the oldest are forgotten first.

    Args:
        processor_id: Who answers, as the ``source`` of its events will say.
        ids: Where new ids come from.

    Example:
        >>> session = ClientSession()
        >>> turn = session.begin("Hello")
        >>> turn.parent_request_id is None and turn.root_request_id == turn.request_id
        True
        >>> session.end(turn)
        >>> session.begin("And now?").parent_request_id == turn.request_id
        True
    """

    def __init__(self, *, processor_id: str = "sentient-chat-client", ids: Ids | None = None) -> None:
        self._ids = ids or SystemIds(SystemClock())
        self.processor_id = processor_id
        self.activity_id: Ulid = self._ids.ulid()
        """The id of the chat; the same in all its turns."""
        self._last: Ulid | None = None
        self._root: Ulid | None = None
        self._interactions: deque[bytes] = deque()
        self._size = 0

    @property
    def turns(self) -> int:
        """How many turns the next request will carry."""
        return len(self._interactions)

    def begin(self, prompt: str) -> Turn:
        """A new turn, with a new request id."""
        request_id = self._ids.ulid()
        return Turn(prompt, request_id, self._last, self._root or request_id)

    def body(self, turn: Turn) -> bytes:
        """The JSON body of the request for a turn."""
        interactions = [msgspec.Raw(data) for data in self._interactions]
        session = _Session(self.processor_id, self.activity_id, turn.request_id, interactions)
        return encode_json(_Body(_Query(self._ids.ulid(), turn.prompt), session))

    def end(self, turn: Turn) -> None:
        """Remember a turn with what it has of its answer; to be called once for a turn."""
        self._last = turn.request_id
        self._root = turn.root_request_id
        data = encode_json(self._interaction(turn))
        self._interactions.append(data)
        self._size += len(data)
        while len(self._interactions) > MAX_INTERACTIONS or self._size > MAX_INTERACTION_BYTES:
            self._size -= len(self._interactions.popleft())

    def _interaction(self, turn: Turn) -> _Interaction:
        content = _Content(request_payload=_Payload([_Part(turn.prompt, [])]))
        request = _AssistRequest(
            turn.request_id, self.activity_id, content, turn.parent_request_id, turn.root_request_id
        )
        responses = [
            _ResponseMessage(self.processor_id, [_USER], msgspec.Raw(encode_event(event))) for event in turn.events()
        ]
        return _Interaction(_RequestMessage(_USER, [self.processor_id], request), responses)
