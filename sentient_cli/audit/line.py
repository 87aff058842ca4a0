"""One line of the log: the one way in which it may be written, and the hash that ties it to the line before.

A line is JSON of ASCII with sorted names and no spaces. Numbers are whole. Its hash is the SHA-256 of the same line
without the field ``hash``, and its ``prev`` that of the line before.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias, TypeGuard

__all__ = ["FIRST", "LONGEST", "NAME", "VERSION", "Datum", "Entry", "LineError", "is_name", "read_entry", "sealed"]

VERSION: Final = 1
FIRST: Final = "0" * 64
"""What the first line names as the hash of the line before."""
LONGEST: Final = 128 * 1024
"""Bytes that a line may have without its line break: no event makes a longer one."""
NAME: Final = "[a-z][a-z0-9_-]{0,39}"
"""How categories, actions and the names in ``data`` are called."""

Datum: TypeAlias = str | int

_NAME = re.compile(NAME)
_LONGEST_NAME: Final = 40
_quoted: Final = json.encoder.encode_basestring_ascii
_HASH = re.compile("[0-9a-f]{64}")
_FIELDS: Final = frozenset(
    {"action", "actor", "at", "category", "data", "hash", "prev", "process", "seq", "subject", "v"}
)
_ACTOR: Final = ({"host", "uid", "user"}, {"host", "user"})
_PROCESS: Final = ({"pid", "program"},)
_BEFORE: Final = b'"hash":"'
_AFTER: Final = len(_BEFORE) + 64 + len('",')
_LARGEST: Final = 2**63


class Entry(NamedTuple):
    """A line of the log that is what it should be, for itself.

    Args:
        seq: Its number, from 1.
        at: Nanoseconds since the epoch, by the clock of the machine at that time.
        category: Such as ``credential``.
        action: What was done.
        subject: What it was done to.
        data: More about it: short texts and whole numbers.
        actor: Who did it: ``user``, ``host`` and, where the system has such numbers, ``uid``.
        process: By which process: ``pid`` and ``program``.
        prev: The hash of the line before.
        hash: Its own.

    Example:
        >>> said = {"v": 1, "category": "config", "action": "set", "subject": "llm.model", "data": {}}
        >>> who = {"actor": {"user": "ann", "host": "here"}, "process": {"pid": 1, "program": "x"}}
        >>> line, _ = sealed({**said, **who, "seq": 1, "at": 5, "prev": FIRST})
        >>> entry = read_entry(line)
        >>> entry.subject, entry.as_json() == json.loads(line)
        ('llm.model', True)
    """

    seq: int
    at: int
    category: str
    action: str
    subject: str
    data: Mapping[str, Datum]
    actor: Mapping[str, Datum]
    process: Mapping[str, Datum]
    prev: str
    hash: str

    def as_json(self) -> dict[str, object]:
        """Everything that the line has, for JSON."""
        return {"v": VERSION, **self._asdict()}


class LineError(ValueError):
    """A line is not what the log writes.

    Args:
        kind: ``malformed``, or ``changed`` where it only does not fit its hash.
        text: What is wrong with it, as the end of a sentence.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


def sealed(fields: Mapping[str, object]) -> tuple[bytes, str]:
    """A line without its line break, and its hash.

    Args:
        fields: All of them but ``hash``.
    """
    digest = hashlib.sha256(_canonical(fields)).hexdigest()
    return _canonical({**fields, "hash": digest}), digest


def _canonical(fields: object) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _written(entry: Entry) -> str:
    """The same for an entry, in a fraction of the time: its names are in order here."""
    return (
        f'{{"action":"{entry.action}","actor":{_flat(entry.actor)},"at":{entry.at},"category":"{entry.category}"'
        f',"data":{_flat(entry.data)},"hash":"{entry.hash}","prev":"{entry.prev}","process":{_flat(entry.process)}'
        f',"seq":{entry.seq},"subject":{_quoted(entry.subject)},"v":{VERSION}}}'
    )


def _flat(data: Mapping[str, Datum]) -> str:
    pairs = (f'"{name}":{_quoted(datum) if isinstance(datum, str) else datum}' for name, datum in sorted(data.items()))
    return "{" + ",".join(pairs) + "}"


def read_entry(line: bytes) -> Entry:
    """Read a line, its line break left out.

    Raises:
        LineError: its bytes are not those that its content is written as, or it does not fit its hash.
    """
    if not line:
        raise LineError("malformed", "is blank")
    if len(line) > LONGEST:
        raise LineError("malformed", "is longer than any that is written")
    try:
        text = line.decode("ascii")
        fields: object = json.loads(text)
    except UnicodeDecodeError:
        raise LineError("malformed", "has bytes that are no ASCII") from None
    except (ValueError, RecursionError):  # a number may be too long for Python
        raise LineError("malformed", "is no JSON") from None
    entry = _entry(fields)
    if _written(entry) != text:
        raise LineError("malformed", "is not written as its content has to be")
    at = line.rfind(_BEFORE)  # in a text its quotes would be escaped, and nothing behind it has such a name
    if hashlib.sha256(line[:at] + line[at + _AFTER :]).hexdigest() != entry.hash:
        raise LineError("changed", "does not fit its hash")
    return entry


def _entry(fields: object) -> Entry:
    """The fields with their types; what is of another version is for a newer program."""
    if not _is_object(fields) or fields.keys() != _FIELDS:
        raise LineError("malformed", "is no entry of a log")
    version, seq, at = fields["v"], fields["seq"], fields["at"]
    if not _is_number(version) or version != VERSION:
        raise LineError("malformed", "has a version that is not known here")
    category, action, subject = fields["category"], fields["action"], fields["subject"]
    data, actor, process = fields["data"], fields["actor"], fields["process"]
    prev, digest = fields["prev"], fields["hash"]
    if (
        _is_number(seq)
        and seq > 0
        and _is_number(at)
        and is_name(category)
        and is_name(action)
        and isinstance(subject, str)
        and _is_flat(data)
        and _is_one_of(actor, _ACTOR)
        and _is_one_of(process, _PROCESS)
        and _is_hash(prev)
        and _is_hash(digest)
    ):
        return Entry(seq, at, category, action, subject, data, actor, process, prev, digest)
    raise LineError("malformed", "is no entry of a log")


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value < _LARGEST


def is_name(value: object) -> TypeGuard[str]:
    """Whether a category, an action or a datum can be called so."""
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and _is_name(value)


@functools.lru_cache
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _is_hash(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _is_one_of(value: object, names: tuple[set[str], ...]) -> TypeGuard[dict[str, Datum]]:
    return (
        _is_object(value)
        and value.keys() in names
        and all(isinstance(datum, str) or _is_number(datum) for datum in value.values())
    )


def _is_flat(value: object) -> TypeGuard[dict[str, Datum]]:
    return _is_object(value) and all(
        is_name(name) and (isinstance(datum, str) or _is_number(datum)) for name, datum in value.items()
    )
