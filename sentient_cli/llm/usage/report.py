"""Sums over the ledger: by provider, model, agent, session, run, tenant or day, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from sentient_cli.errors import UsageError

__all__ = ["BY", "By", "UsageSum", "as_csv", "parse_since", "sums"]

By: TypeAlias = Literal["provider", "model", "agent", "session", "run", "call", "tenant", "profile", "day", "outcome"]
BY: Final[tuple[By, ...]] = get_args(By)
"""What can be summed up by."""

_GROUPS: Final[dict[By, str]] = {
    "model": "provider || ':' || model",
    "day": "strftime('%Y-%m-%d', at / 1000000000, 'unixepoch')",
    # How a call ended says its last attempt; those before it are part of it.
    "outcome": "(SELECT last.outcome FROM usage AS last WHERE last.call = usage.call AND last.final)",
}
_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 24 * 7}
_SUMS: Final = """
    sum(final), sum(NOT final), sum(final AND outcome = 'error'), sum(final AND cached),
    total(CASE WHEN final THEN input END), total(CASE WHEN final THEN cache_read END),
    total(CASE WHEN final THEN coalesce(cache_write, 0) + coalesce(cache_write_1h, 0) END),
    total(CASE WHEN final THEN output END), total(CASE WHEN final THEN reasoning END), total(wasted), total(cost),
    sum(final AND cost IS NULL AND (outcome = 'done' OR input IS NOT NULL)), max(estimated),
    avg(CASE WHEN final AND NOT cached THEN first_ms END), avg(CASE WHEN final AND NOT cached THEN total_ms END)
"""


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one group came to.

    Args:
        group: The provider, model, agent … that they have in common; empty: they have none.
        calls: How many; each is counted where it ended.
        failed_attempts: Attempts that another one followed, which may have been elsewhere.
        errors: Calls that failed.
        cached: Calls that an earlier answer was given to.
        input: Tokens of requests that came from no cache.
        cache_read: Tokens read from providers' caches.
        cache_write: Tokens written to them.
        output: Tokens of answers.
        reasoning: The part of them that was reasoning.
        wasted: Tokens of attempts that came to nothing.
        cost: US dollars, of the calls whose cost is known.
        unpriced: Calls whose cost is not known.
        estimated: Whether some of the tokens are our estimate.
        first_ms: Milliseconds to the first piece of an answer, on average.
        total_ms: Milliseconds in all, on average.

    Example:
        >>> UsageSum(group="offline", calls=2, input=3, output=4).tokens
        7
    """

    group: str
    calls: int = 0
    failed_attempts: int = 0
    errors: int = 0
    cached: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    wasted: int = 0
    cost: float = 0.0
    unpriced: int = 0
    estimated: bool = False
    first_ms: float | None = None
    total_ms: float | None = None

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input + self.cache_read + self.cache_write + self.output

    @property
    def known_cost(self) -> float | None:
        """The cost; None: the price of none of these calls is known."""
        return None if self.unpriced and self.unpriced >= self.calls and not self.cost else self.cost


def sums(connection: sqlite3.Connection, by: By, *, since: int = 0, until: int = 2**62) -> list[UsageSum]:
    """The sums by one thing, the costliest first, days in their order.

    Args:
        connection: Of a ledger.
        by: What groups have in common.
        since: From when on, in nanoseconds since the epoch.
        until: Until when, not counting that moment.
    """
    group = _GROUPS.get(by, by)
    order = "1" if by == "day" else "12 DESC, 2 DESC, 1"
    query = f"SELECT coalesce({group}, ''), {_SUMS} FROM usage WHERE at >= ? AND at < ? GROUP BY 1 ORDER BY {order}"  # noqa: S608 - the names are ours
    return [_sum(row) for row in connection.execute(query, (since, until))]


def _sum(row: Sequence[object]) -> UsageSum:
    told = dict(zip(UsageSum.__struct_fields__, row, strict=True))
    told |= {name: int(value) for name in _COUNTS if isinstance(value := told[name], float)}
    return msgspec.convert(told | {"estimated": bool(told["estimated"])}, UsageSum)


_COUNTS: Final = frozenset({"input", "cache_read", "cache_write", "output", "reasoning", "wasted"})


def as_csv(rows: Sequence[UsageSum], by: By) -> str:
    """The sums as CSV with a line of names; an average or cost that is not known is empty.

    Example:
        >>> as_csv([UsageSum(group="=1+1", calls=1)], "agent").splitlines()[1][:7]
        "'=1+1,1"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([by, *UsageSum.__struct_fields__[1:]])
    for row in rows:
        told = msgspec.structs.asdict(row) | {"group": _inert(row.group), "cost": row.known_cost}
        writer.writerow(["" if value is None else value for value in told.values()])
    return text.getvalue()


def _inert(text: str) -> str:
    # A spreadsheet executes a cell that begins so: https://owasp.org/www-community/attacks/CSV_Injection
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def parse_since(text: str, now: datetime) -> int:
    """A moment as it is typed: ``24h``, ``7d``, ``4w``, ``today``, ``all``, or a day such as ``2026-01-31`` (UTC).

    Args:
        text: What was typed.
        now: What the time is.

    Returns:
        Nanoseconds since the epoch.

    Raises:
        UsageError: it is none of these.

    Example:
        >>> parse_since("1d", datetime(2026, 1, 2, tzinfo=UTC)) == parse_since("2026-01-01", datetime.now(UTC))
        True
    """
    if text == "all":
        return 0
    if text == "today":
        return _nanoseconds(now.replace(hour=0, minute=0, second=0, microsecond=0))
    span = _SPAN.fullmatch(text)
    if span is not None:
        return max(0, _nanoseconds(now) - int(span[1]) * _HOURS[span[2]] * 3600 * 10**9)
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text[:40]!r} is no moment", fix="Write `24h`, `7d`, `4w`, `today`, `all` or a day such as 2026-01-31"
        ) from None
    return max(0, _nanoseconds(day if day.tzinfo else day.replace(tzinfo=UTC)))


def _nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
