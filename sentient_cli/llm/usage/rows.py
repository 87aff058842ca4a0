"""A line of the ledger, and the table it stands in."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from sentient_cli.llm.types import Usage

__all__ = [
    "INSERT",
    "INSERT_ONCE",
    "MOST",
    "SCHEMA",
    "UsageRow",
    "bounded",
    "bounded_cost",
    "bounded_usage",
    "row_values",
]

MOST: Final = 2**53
"""So many tokens are counted at most: what is told comes from outside, and the file holds no more than 2^63."""


class UsageRow(msgspec.Struct, kw_only=True):
    """One attempt of a call. Tokens and costs are those of the whole call and stand on its last attempt.

    Args:
        call: The id of the call.
        attempt: Which attempt, from 1.
        final: Whether it is the one that the call ended with.
        at: When the call began, in nanoseconds since the epoch.
        provider: Who was asked.
        model: The model, as that provider names it.
        agent: The agent that asked.
        session: The chat.
        query: The user's question.
        run: The run.
        tenant: Whose data it is.
        profile: The profile of settings.
        outcome: ``done``, ``error``, ``cancelled``, or ``failed`` for an attempt that another one followed.
        error: The code of the error.
        input: Tokens of the request that came from no cache.
        cache_read: Tokens read from the provider's cache.
        cache_write: Tokens written to it for minutes.
        cache_write_1h: Tokens written to it for an hour.
        output: Tokens of the answer.
        reasoning: The part of them that was reasoning.
        wasted: Tokens of attempts that came to nothing.
        estimated: Whether the numbers are ours and not the provider's.
        cost: US dollars, with what was wasted; None: the price is not known.
        first_ms: Milliseconds to the first piece of the answer.
        total_ms: Milliseconds in all.
        cached: Whether it is an earlier answer.
        degraded: Why it is a lesser answer than was asked for.
        tier: The service tier that was used, or else asked for; it is not kept.
        once: Whether the first row of this call and attempt stays when there is another; it is not kept.
        failed_at: When an attempt failed, in nanoseconds since the epoch, where it did; it is not kept.

    Example:
        >>> UsageRow(call="01J", at=0, provider="offline", model="echo", input=3, output=4).tokens.total
        7
    """

    call: str
    attempt: int = 1
    final: bool = True
    at: int
    provider: str
    model: str
    agent: str | None = None
    session: str | None = None
    query: str | None = None
    run: str | None = None
    tenant: str | None = None
    profile: str = "default"
    outcome: str = "done"
    error: str | None = None
    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    reasoning: int | None = None
    wasted: int | None = None
    estimated: bool = False
    cost: float | None = None
    first_ms: float | None = None
    total_ms: float | None = None
    cached: bool = False
    degraded: str = ""
    tier: str | None = None
    once: bool = False
    failed_at: int | None = None

    @property
    def tokens(self) -> Usage:
        """The tokens as one record."""
        return Usage(
            self.input,
            self.cache_read,
            self.cache_write,
            self.output,
            self.reasoning,
            self.estimated,
            self.cache_write_1h,
        )

    def take(self, usage: Usage) -> None:
        """Take the tokens of a record."""
        usage = bounded_usage(usage)
        self.input, self.output, self.reasoning = usage.input, usage.output, usage.reasoning
        self.cache_read, self.cache_write, self.cache_write_1h = (
            usage.cache_read,
            usage.cache_write,
            usage.cache_write_1h,
        )
        self.estimated = usage.estimated


def bounded(count: int | None) -> int | None:
    """A number of tokens that can be counted, whatever was told.

    Example:
        >>> bounded(-5), bounded(7), bounded(2**64) == MOST, bounded(None)
        (0, 7, True, None)
    """
    return None if count is None else min(max(count, 0), MOST)


def bounded_usage(usage: Usage) -> Usage:
    """Tokens that can be counted, whatever was told.

    Example:
        >>> bounded_usage(Usage(input=3, output=-4)).total
        3
    """
    return Usage(
        bounded(usage.input),
        bounded(usage.cache_read),
        bounded(usage.cache_write),
        bounded(usage.output),
        bounded(usage.reasoning),
        usage.estimated,
        bounded(usage.cache_write_1h),
    )


def bounded_cost(cost: float | None) -> float | None:
    """A cost that can be summed up; None: it is not known, or is no cost.

    Example:
        >>> bounded_cost(0.5), bounded_cost(-1.0), bounded_cost(float("nan"))
        (0.5, 0.0, None)
    """
    return None if cost is None or not math.isfinite(cost) else max(0.0, cost)


def row_values(row: UsageRow) -> tuple[object, ...]:
    """What stands in the table, in the order of its columns."""
    row.take(row.tokens)
    row.wasted, row.cost = bounded(row.wasted), bounded_cost(row.cost)
    return tuple([getattr(row, name) for name in _NAMES])


_TYPES: Final[dict[str, str]] = {
    "attempt": "INTEGER",
    "final": "INTEGER",
    "at": "INTEGER",
    "input": "INTEGER",
    "cache_read": "INTEGER",
    "cache_write": "INTEGER",
    "cache_write_1h": "INTEGER",
    "output": "INTEGER",
    "reasoning": "INTEGER",
    "wasted": "INTEGER",
    "estimated": "INTEGER",
    "cached": "INTEGER",
    "cost": "REAL",
    "first_ms": "REAL",
    "total_ms": "REAL",
}
_NAMES: Final = tuple(name for name in UsageRow.__struct_fields__ if name not in {"tier", "once", "failed_at"})
_COLUMNS: Final = ", ".join(f"{name} {_TYPES.get(name, 'TEXT')}" for name in _NAMES)

SCHEMA: Final = (
    f"CREATE TABLE usage ({_COLUMNS}, PRIMARY KEY (call, attempt)) WITHOUT ROWID",
    "CREATE INDEX usage_at ON usage (at)",
    "CREATE INDEX usage_session ON usage (session) WHERE session IS NOT NULL",
)
_PLACES: Final = ", ".join("?" * len(_NAMES))
INSERT: Final = f"INSERT OR REPLACE INTO usage VALUES ({_PLACES})"  # noqa: S608 - places only
INSERT_ONCE: Final = f"INSERT OR IGNORE INTO usage VALUES ({_PLACES})"  # noqa: S608 - places only
