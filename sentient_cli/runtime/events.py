"""The events of Sentient Chat 1.0, exact on the wire in both directions.

One structure per content type; the order of the fields is the order on the wire. `decode_event` reads any of them,
`encode_event` writes the JSON that the public client accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, TypeGuard, cast

import msgspec

from sentient_cli.errors import InvalidEventError
from sentient_cli.runtime.finite import check_finite

__all__ = [
    "DoneEvent",
    "ErrorContent",
    "ErrorEvent",
    "Event",
    "EventMetadata",
    "JsonEvent",
    "JsonValue",
    "TextBlockEvent",
    "TextChunkEvent",
    "check_event_name",
    "check_metadata",
    "decode_event",
    "encode_event",
    "encode_json",
    "encode_text",
    "encode_texts",
    "is_done",
    "is_error",
    "is_json",
    "is_text_block",
    "is_text_chunk",
]

if TYPE_CHECKING:
    JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
    """Anything that JSON can hold."""
else:
    JsonValue = object  # decoders read annotations, and cannot follow a recursive one

MetadataValue: TypeAlias = str | int | float | bool | list[str]
EventMetadata: TypeAlias = dict[str, MetadataValue]
"""At most 16 pairs; the public client rejects null and nested values."""

MAX_METADATA_PAIRS = 16
_PLAIN: Final = frozenset({str, int, bool})
MAX_EVENT_NAME_LENGTH = 128


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="content_type"):
    pass


class TextBlockEvent(_Event, frozen=True, gc=False, kw_only=True, tag="atomic.textblock"):
    """A whole piece of text.

    Example:
        >>> event = TextBlockEvent(event_name="PLAN", id="01M804RTN2S3T3NJE3ZJM8TJGT", source="chat", content="Hello")
        >>> decode_event(encode_event(event)) == event
        True
    """

    event_name: str
    schema_version: str = "1.0"
    id: str
    source: str
    metadata: EventMetadata | None = None
    content: str


class JsonEvent(_Event, frozen=True, kw_only=True, tag="atomic.json"):
    """A JSON object.

    Example:
        >>> event = JsonEvent(event_name="SOURCES", id="1", source="chat", content={"results": ["Atlas"]})
        >>> event.content["results"]
        ['Atlas']
    """

    event_name: str
    schema_version: str = "1.0"
    id: str
    source: str
    metadata: EventMetadata | None = None
    content: dict[str, JsonValue]


class TextChunkEvent(_Event, frozen=True, gc=False, kw_only=True, tag="chunked.text"):
    """A piece of a text stream; the closing one has ``is_complete`` and the content ``" "``.

    Example:
        >>> wire = {"event_name": "ANSWER", "id": "1", "source": "chat", "stream_id": "s1"}
        >>> chunk = TextChunkEvent(**wire, is_complete=False, content="Hello ")
        >>> chunk.content, chunk.is_complete
        ('Hello ', False)
    """

    event_name: str
    schema_version: str = "1.0"
    id: str
    source: str
    metadata: EventMetadata | None = None
    stream_id: str
    is_complete: bool
    content: str


class ErrorContent(msgspec.Struct, frozen=True):
    """What went wrong, for the client.

    Args:
        error_message: For a reader.
        error_code: An HTTP status code wherever one fits.
        details: Anything more, as a JSON object.

    Example:
        >>> content = ErrorContent("The search is down", 503, {"retry": True})
        >>> content.error_code, ErrorContent("Something failed").error_code
        (503, 500)
    """

    error_message: str
    error_code: int = 500
    details: dict[str, JsonValue] | None = None


class ErrorEvent(_Event, frozen=True, kw_only=True, tag="atomic.error"):
    """An error of the agent; it does not end the run.

    Example:
        >>> event = ErrorEvent(id="1", source="chat", content=ErrorContent("The search is down", 503))
        >>> event.event_name, event.content.error_message
        ('error', 'The search is down')
    """

    event_name: str = "error"
    schema_version: str = "1.0"
    id: str
    source: str
    metadata: EventMetadata | None = None
    content: ErrorContent


class DoneEvent(_Event, frozen=True, gc=False, kw_only=True, tag="atomic.done"):
    """The end of a response; always the last event.

    Example:
        >>> event = DoneEvent(id="1", source="chat")
        >>> event.event_name, is_done(event)
        ('done', True)
    """

    event_name: str = "done"
    schema_version: str = "1.0"
    id: str
    source: str
    metadata: EventMetadata | None = None


Event: TypeAlias = TextBlockEvent | JsonEvent | TextChunkEvent | ErrorEvent | DoneEvent
"""Any event that goes to the client, told apart by its ``content_type``."""


def _plain(value: object) -> object:
    """What msgspec writes for a value that it does not know."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    raise TypeError(f"An object of type {type(value).__name__} is not JSON")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_encode = _encoder.encode
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)

# Readers that split lines as str.splitlines does (httpx's, and so the public client's) end a line at these as well.
_LINE_SEPARATORS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
_BAD_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def encode_json(value: object) -> bytes:
    r"""Compact JSON in one line, for every reader's idea of a line.

    Args:
        value: An event, or anything that JSON can hold. Lone surrogates become U+FFFD.

    Raises:
        InvalidEventError: the value is no JSON.

    Example:
        >>> encode_json({"a": "x\u2028y"})
        b'{"a":"x\\u2028y"}'
    """
    try:
        data = _encode_any(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEventError(
            "The content of an event is not JSON",
            why=_json_fault(error),
            fix="Emit only strings, numbers, booleans, null, lists, and objects with string keys",
        ) from error
    return data if data.isascii() else _escape_lines(data)


def _escape_lines(data: bytes) -> bytes:
    for raw, escaped in _LINE_SEPARATORS:
        if raw in data:
            data = data.replace(raw, escaped)
    return data


def _encode_any(value: object) -> bytes:
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_without_surrogates(msgspec.to_builtins(value, enc_hook=_plain)))


def _json_fault(error: Exception) -> str:
    return "It is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return {_without_surrogates(key): _without_surrogates(item) for key, item in pairs}
    return value


def encode_text(text: str) -> bytes:
    """A string as JSON: what `encode_json` makes of it, at a third of the cost."""
    try:
        data = _encode(text)
    except UnicodeEncodeError:
        return encode_json(text)
    return data if text.isascii() else _escape_lines(data)


def encode_texts(texts: Sequence[str]) -> Iterable[bytes]:
    """Many strings as JSON, each as `encode_text` does it."""
    if all(map(str.isascii, texts)):
        return map(_encode, texts)
    return map(encode_text, texts)


def encode_event(event: Event) -> bytes:
    """The JSON of an event as it goes on the wire.

    Raises:
        InvalidEventError: its content or metadata is no JSON, or has a number that JSON does not know.

    Example:
        >>> encode_event(DoneEvent(id="1", source="chat")).decode()
        '{"content_type":"atomic.done","event_name":"done","schema_version":"1.0","id":"1","source":"chat","metadata":null}'
    """
    data = encode_json(event)
    content = event.content if isinstance(event, JsonEvent) else None
    if isinstance(event, ErrorEvent):
        content = event.content.details
    # The encoder writes null for such a number, and what it writes is much cheaper to search than what it was given.
    if content and data.find(b"null", data.find(b'"content":')) >= 0:
        check_finite(content, _plain)
    return data


def decode_event(data: bytes | str) -> Event:
    """Read an event from its JSON. Unknown fields are passed over.

    Raises:
        InvalidEventError: it is no event.

    Example:
        >>> decode_event('{"content_type":"atomic.done","event_name":"done","id":"01J","source":"a"}').event_name
        'done'
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidEventError("This is not a Sentient Chat event", why=str(error)) from error


def check_event_name(name: str) -> str:
    """Return ``name`` when it may stand in an SSE line.

    Raises:
        InvalidEventError: it is empty, longer than 128 characters, begins with a space, or has control characters.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEventError(f"An event name is a string, not {type(name).__name__}")
    if not name or len(name) > MAX_EVENT_NAME_LENGTH or name[0] == " " or _BAD_NAME.search(name):
        raise InvalidEventError(
            "The event name is not allowed on the wire",
            why=f"It is {name[:40]!r}",
            fix="Use 1 to 128 characters without control characters, line breaks or a leading space",
        )
    return name


def check_metadata(metadata: Mapping[str, MetadataValue] | None) -> EventMetadata | None:
    """Return the metadata as a plain dict when a client will accept it.

    Raises:
        InvalidEventError: it is no mapping, has more than 16 pairs, or a value that is null or nested.
    """
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidEventError(f"The metadata of an event is a mapping, not {type(metadata).__name__}")
    if len(metadata) > MAX_METADATA_PAIRS:
        raise InvalidEventError(
            f"The metadata of an event has {len(metadata)} pairs",
            why=f"At most {MAX_METADATA_PAIRS} are allowed",
            fix="Put the rest into a JSON event",
        )
    for key, value in metadata.items():
        if type(key) is str and type(value) in _PLAIN:  # nearly always
            continue
        if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidEventError(f"The metadata name {key!r} is not allowed", why="A name is a string")
        if not _is_metadata_value(value):
            raise InvalidEventError(
                f"The metadata value {key!r} is not allowed",
                why=f"It is {value}" if isinstance(value, float) else f"It is of type {type(value).__name__}",
                fix="Use a string, a finite number, a boolean or a list of strings, and leave out what is unknown",
            )
    return dict(metadata)


def _is_metadata_value(value: object) -> bool:
    if isinstance(value, float):
        return value - value == 0  # neither infinite nor NaN
    if isinstance(value, list):
        return all(isinstance(item, str) for item in cast("list[object]", value))
    return isinstance(value, str | int)


def is_text_block(event: Event) -> TypeGuard[TextBlockEvent]:
    """Whether the event is a whole piece of text.

    Example:
        >>> event: Event = TextBlockEvent(event_name="PLAN", id="1", source="chat", content="Look")
        >>> event.content if is_text_block(event) else None
        'Look'
    """
    return isinstance(event, TextBlockEvent)


def is_json(event: Event) -> TypeGuard[JsonEvent]:
    """Whether the event is a JSON object.

    Example:
        >>> event: Event = JsonEvent(event_name="SOURCES", id="1", source="chat", content={"n": 1})
        >>> event.content["n"] if is_json(event) else None
        1
    """
    return isinstance(event, JsonEvent)


def is_text_chunk(event: Event) -> TypeGuard[TextChunkEvent]:
    """Whether the event is a piece of a text stream.

    Example:
        >>> is_text_chunk(DoneEvent(id="1", source="chat"))
        False
    """
    return isinstance(event, TextChunkEvent)


def is_error(event: Event) -> TypeGuard[ErrorEvent]:
    """Whether the event is an error.

    Example:
        >>> event = ErrorEvent(id="1", source="chat", content=ErrorContent("The search is down", 503))
        >>> event.content.error_code if is_error(event) else None
        503
    """
    return isinstance(event, ErrorEvent)


def is_done(event: Event) -> TypeGuard[DoneEvent]:
    """Whether the event ends the response.

    Example:
        >>> is_done(DoneEvent(id="1", source="chat"))
        True
    """
    return isinstance(event, DoneEvent)
