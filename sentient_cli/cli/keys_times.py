"""How times look beside keys: how long ago, and in how long."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from sentient_cli.errors import UsageError

__all__ = ["DAY", "SECOND", "ago", "length", "moment", "parse_length", "parse_moment", "until"]

SECOND: Final = 1_000_000_000
"""Nanoseconds."""
DAY: Final = 24 * 3600 * SECOND
_UNITS: Final = (("y", 365 * DAY), ("d", DAY), ("h", 3600 * SECOND), ("m", 60 * SECOND))
_LENGTH: Final = re.compile(r"(\d{1,5})([smhdw]?)", re.ASCII)
_SECONDS: Final = {"s": 1, "": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}


def length(nanoseconds: int) -> str:
    """A length of time in its largest unit.

    Example:
        >>> length(90 * SECOND), length(50 * DAY), length(800 * DAY), length(5)
        ('1m', '50d', '2y', 'now')
    """
    for sign, unit in _UNITS:
        if nanoseconds >= (unit if sign != "y" else 2 * unit):
            return f"{nanoseconds // unit}{sign}"
    return "now"


def ago(at: int, now: int) -> str:
    """How long ago something was; ``-`` for what never was.

    Example:
        >>> ago(0, 10), ago(DAY, 3 * DAY), ago(2 * DAY, DAY)
        ('-', '2d', 'now')
    """
    return length(now - at) if at else "-"


def until(at: int, now: int) -> str:
    """In how long something will be, to the minute.

    Example:
        >>> until(30 * DAY, 5), until(DAY, 2 * DAY)
        ('30d', 'now')
    """
    return length(at - now + 59 * SECOND)


def moment(at: int) -> str | None:
    """A time as programs read it, in UTC; None for what never was.

    Example:
        >>> moment(1_700_000_000 * SECOND), moment(0)
        ('2023-11-14T22:13:20Z', None)
    """
    if not at:
        return None
    return dt.datetime.fromtimestamp(at // SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_length(text: str, flag: str) -> int:
    """Seconds of a length that was typed.

    Raises:
        UsageError: it is none.

    Example:
        >>> parse_length("30d", "--every"), parse_length("90", "--grace")
        (2592000, 90)
    """
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text[:40]!r} is no length of time", fix=f"Write {flag} as 90s, 15m, 12h, 30d or 4w")
    return int(match[1]) * _SECONDS[match[2]]


def parse_moment(text: str, now: int, flag: str) -> int:
    """A time in the future, in nanoseconds since the epoch: a length from now, or a day in UTC.

    Raises:
        UsageError: it is none, or is over.

    Example:
        >>> parse_moment("1d", 5, "--expires") == DAY + 5, parse_moment("1970-01-03", 5, "--expires") == 2 * DAY
        (True, True)
    """
    if _LENGTH.fullmatch(text.strip()):
        at = now + parse_length(text, flag) * SECOND
    else:
        try:
            read = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            raise UsageError(
                f"{text[:40]!r} is no time", fix=f"Write {flag} as 90d, or as a day such as 2027-01-31"
            ) from None
        at = int((read if read.tzinfo else read.replace(tzinfo=dt.UTC)).timestamp()) * SECOND
    if at <= now:
        raise UsageError(f"{text[:40]!r} is over", fix=f"Give {flag} a time that is to come")
    return at
