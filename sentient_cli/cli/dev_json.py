"""What happens under ``sentient dev`` for programs: one JSON object a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from sentient_cli.config.names import readable
from sentient_cli.redact import redactor

if TYPE_CHECKING:
    from datetime import datetime

    from sentient_cli.dev.report import DevEvent

__all__ = ["event_line"]

_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHOWN: Final = frozenset({"inspect_url", "url"})
"""What is meant to be seen, whatever it holds."""


def event_line(event: DevEvent, at: datetime) -> str:
    """An event as one line of JSON: its name, its time, and what it has; printable ASCII.

    Args:
        event: What happened.
        at: When.

    Example:
        >>> from datetime import datetime, UTC
        >>> from sentient_cli.dev.report import Stopping
        >>> event_line(Stopping(runs=2), datetime(2026, 1, 2, tzinfo=UTC))
        '{"event": "stopping", "time": "2026-01-02T00:00:00.000+00:00", "runs": 2}'
    """
    from msgspec.structs import asdict

    from sentient_cli.cli.report import json_text

    name = _WORD.sub("-", type(event).__name__).lower()
    values = {key: _value(key, value) for key, value in asdict(event).items()}
    return json_text({"event": name, "time": at.isoformat(timespec="milliseconds"), **values})


def _value(name: str, value: object) -> object:
    from msgspec import Struct
    from msgspec.structs import asdict

    if isinstance(value, str):
        return value if name in _SHOWN else redactor.redact(readable(value))
    if isinstance(value, tuple):
        return [_value("", item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, Struct):
        return {key: _value(key, item) for key, item in asdict(value).items()}
    return round(value, 6) if isinstance(value, float) else value
