"""The text of a run's file: a header line, then one entry a line, each a JSON object (https://jsonlines.org).

    {"format":"sentient.run-log","schema":1,"run":"0f3c","created":1,"first":1}
    {"seq":1,"at":5,"type":"run.started","data":{},"left":1}
    {"seq":2,"at":6,"type":"run.finished","data":{"outcome":"done"}}

`left` counts the lines that belong to the same append and follow. Lines count only when their append is whole, so that
a crash in the middle of one leaves none of it. Data that is not one line of JSON stands as `base64`, data that is kept
apart as `blob`, its SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sentient_cli.errors import StoreError
from sentient_cli.store.entry import Entry, LogEntry
from sentient_cli.store.rules import BLOB_BYTES

__all__ = [
    "FORMAT",
    "SCHEMA_VERSION",
    "Header",
    "Line",
    "decode_header",
    "decode_line",
    "encode_entries",
    "encode_header",
    "encode_line",
    "to_entry",
]

FORMAT: Final = "sentient.run-log"
SCHEMA_VERSION: Final = 1


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a run's file.

    Args:
        format: Always `FORMAT`.
        schema: The version of the form of the file.
        run: Whose log it is.
        created: Nanoseconds since the epoch; files of one directory are ordered by it.
        first: The first seq that is kept.
        finished: Whether the log is finished although its last line is no longer kept.
        last_at: The time of the last entry that is no longer kept.
    """

    format: str = ""
    schema: int = 0
    run: str
    created: int
    first: int = 1
    finished: bool = False
    last_at: int = 0


# Raw in a union with None is decoded like any other value.
_NO_DATA: Final = msgspec.Raw()


class Line(msgspec.Struct, frozen=True, gc=False):
    """The line of one entry; exactly one of ``data``, ``base64`` and ``blob`` is there."""

    seq: int
    at: int
    type: str
    data: msgspec.Raw = _NO_DATA
    base64: str = ""
    blob: str = ""
    left: int = 0


_headers: Final = msgspec.json.Decoder(Header)
_lines: Final = msgspec.json.Decoder(Line)
_values: Final = msgspec.json.Decoder(msgspec.Raw)
_encoder: Final = msgspec.json.Encoder()


def encode_header(header: Header) -> bytes:
    """The header line, with its line feed."""
    return _encoder.encode(header) + b"\n"


def decode_header(line: bytes) -> Header | None:
    """Read a header line, or None when it is none.

    Raises:
        StoreError: a newer version of this program wrote it.
    """
    try:
        header = _headers.decode(line)
    except (msgspec.DecodeError, UnicodeError):
        return None
    if header.format != FORMAT or header.first < 1:
        return None
    if header.schema > SCHEMA_VERSION:
        raise StoreError(
            f"The log of run {header.run[:40]!r} was written by another version of this program",
            why=f"Its schema is {header.schema}, this program knows {SCHEMA_VERSION}",
            fix="Upgrade this program",
        )
    return header


def encode_entries(entries: Sequence[LogEntry], keep_blob: Callable[[str, bytes], None]) -> bytes:
    r"""The lines of entries that are appended together.

    Args:
        entries: What to encode.
        keep_blob: Called with the SHA-256 and the data of each entry that is to be kept apart.

    Example:
        >>> encode_entries([Entry(1, 5, "run.started", b"{}")], lambda digest, data: None)
        b'{"seq":1,"at":5,"type":"run.started","data":{}}\n'
    """
    left = len(entries)
    return b"".join([encode_line(entry, left - place, keep_blob) for place, entry in enumerate(entries, 1)])


def encode_line(entry: LogEntry, left: int, keep_blob: Callable[[str, bytes], None]) -> bytes:
    """The line of one entry, with its line feed.

    Args:
        entry: What to encode.
        left: How many entries of the same append follow.
        keep_blob: Called with the SHA-256 and the data when it is to be kept apart.
    """
    start = b'{"seq":%d,"at":%d,"type":%s,' % (entry.seq, entry.at, _encoder.encode(entry.type))
    end = b',"left":%d}\n' % left if left else b"}\n"
    return start + _encode_data(entry.data, keep_blob) + end


def _encode_data(data: bytes, keep_blob: Callable[[str, bytes], None]) -> bytes:
    if len(data) > BLOB_BYTES:
        digest = hashlib.sha256(data).hexdigest()
        keep_blob(digest, data)
        return b'"blob":"%s"' % digest.encode()
    if _fits_in_line(data):
        return b'"data":' + data
    return b'"base64":"%s"' % base64.b64encode(data)


def _fits_in_line(data: bytes) -> bool:
    if b"\n" in data or b"\r" in data or data != data.strip():
        return False
    try:
        if not data.isascii():
            data.decode()
        _values.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def decode_line(line: bytes) -> Line | None:
    """Read the line of an entry, or None when it is none.

    Example:
        >>> decode_line(b'{"seq":1,"at":5,"ty') is None
        True
    """
    try:
        return _lines.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def to_entry(line: Line, read_blob: Callable[[str], bytes]) -> Entry:
    """The entry of a line.

    Args:
        line: What `decode_line` gave.
        read_blob: Gives the data that was kept apart under a SHA-256.

    Raises:
        StoreError: the data is damaged.
    """
    if line.blob:
        data = read_blob(line.blob)
        if hashlib.sha256(data).hexdigest() != line.blob:
            raise StoreError(f"The data of entry {line.seq} is damaged", why="It does not match its SHA-256")
    else:
        # No JSON is empty.
        data = bytes(line.data) or _decode_base64(line)
    return Entry(line.seq, line.at, line.type, data)


def _decode_base64(line: Line) -> bytes:
    try:
        return base64.b64decode(line.base64, validate=True)
    except ValueError as error:
        raise StoreError(f"The data of entry {line.seq} is damaged", why="It is no base64") from error
