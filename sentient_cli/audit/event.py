"""What is told to the log, and what every line says of who told it. Nothing passes unredacted."""

from __future__ import annotations

import functools
import os
import platform
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sentient_cli.audit.line import Datum, is_name
from sentient_cli.audit.schemas import CATEGORIES
from sentient_cli.errors import AuditError
from sentient_cli.redact import REDACTED, redactor
from sentient_cli.secret_names import is_secret_name

__all__ = ["LONGEST_TEXT", "MOST_DATA", "Event", "fields_of"]

LONGEST_TEXT: Final = 500
"""Characters of a text that are kept."""
MOST_DATA: Final = 16
_SHORT: Final = 100
_LARGEST: Final = 2**63
_NOTHING: Final[Mapping[str, Datum]] = MappingProxyType({})


class Event(NamedTuple):
    """Something that happened, to be told to the log.

    Secrets that are known, and what looks like one, become ``[redacted]``, and so does whatever stands under the name
    of one. Texts of more than 500 characters are cut.

    Args:
        category: ``credential``, ``config`` or ``security``; ``audit`` is what the log tells of itself.
        action: What was done, such as ``resolved``: small letters, digits, ``-`` and ``_``.
        subject: What it was done to, such as ``production/openai``; never a value.
        data: At most 16 short texts and whole numbers, under names of the same characters.

    Example:
        >>> event = Event("credential", "resolved", "default/openai", {"store": "keyring"})
        >>> fields_of(event)["data"], fields_of(event._replace(data={"token": "x"}))["data"]
        ({'store': 'keyring'}, {'token': '[redacted]'})
    """

    category: str
    action: str
    subject: str = ""
    data: Mapping[str, Datum] = _NOTHING


def fields_of(event: Event) -> dict[str, object]:
    """The fields of a line that do not depend on its place in the log.

    Raises:
        AuditError: no line can say this.
    """
    if event.category not in CATEGORIES:
        raise _wrong(f"There is no category {event.category!r}")
    if not is_name(event.action):
        raise _wrong(f"{event.action!r} can be no action")
    if len(event.data) > MOST_DATA:
        raise _wrong(f"It has {len(event.data)} data, and {MOST_DATA} are the most")
    return {
        "category": event.category,
        "action": event.action,
        "subject": _text(event.subject),
        "data": {name: _datum(name, value) for name, value in event.data.items()},
        "actor": dict(_actor(os.getuid() if sys.platform != "win32" else 0)),
        "process": {"pid": os.getpid(), "program": _text(_program(), _SHORT)},
        "v": 1,
    }


def _datum(name: str, value: Datum) -> Datum:
    if not is_name(name) or redactor.redact(name) != name:
        raise _wrong("The name of a datum is none")
    if is_secret_name(name):
        return REDACTED
    if isinstance(value, str):
        return _text(value)
    if type(value) is not int:  # a program without types may give anything
        raise _wrong(f"{name} is neither a text nor a whole number")
    if not -_LARGEST <= value < _LARGEST:
        raise _wrong(f"{name} is too large a number")
    return value


def _text(text: str, longest: int = LONGEST_TEXT) -> str:
    if len(text) <= longest:
        return redactor.head(text, longest)
    return redactor.head(text, longest - 1) + "\u2026"


def _program() -> str:
    name = sys.argv[0] if sys.argv else ""
    return os.path.basename(name) or "python"  # noqa: PTH119 - it may be anything, and need be no path


@functools.cache
def _actor(uid: int) -> Mapping[str, Datum]:
    host = _text(platform.node() or "unknown", _SHORT)
    if sys.platform == "win32":  # pragma: no cover - another operating system
        return MappingProxyType({"host": host, "user": _text(os.getlogin(), _SHORT)})
    import pwd  # noqa: PLC0415 - of Unix alone

    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container that was given a number
        user = str(uid)
    return MappingProxyType({"host": host, "uid": uid, "user": _text(user, _SHORT)})


def _wrong(why: str) -> AuditError:
    return AuditError("This cannot be told to the audit log", why=why, fix="Correct the call that tells it")
