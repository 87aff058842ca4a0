"""What is set aside for batches until their results are read: a table beside that of the ledger.

Results can be read for a month: Anthropic keeps them for 29 days, OpenAI for 30. What nobody has read by then was done
and paid for as far as anybody can know, so it is written down as spent.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from sentient_cli.sqlite_writes import writing

__all__ = ["KEPT_NS", "MAKE", "HeldBatch", "held_batches", "hold", "let_go", "spend_unread", "sum_of_held"]

KEPT_NS: Final = 30 * 24 * 3600 * 10**9
"""How long the results of a batch can be read, in nanoseconds."""

MAKE: Final = (
    "CREATE TABLE IF NOT EXISTS held "
    "(batch TEXT PRIMARY KEY, at INTEGER, session TEXT, profile TEXT, amount REAL, share REAL) WITHOUT ROWID"
)
"""Makes the table. Ledgers that were made before there was one get it when they are next written."""
_THERE: Final = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'held'"
# The rows of a batch are called after it, with the place of the request behind a slash; "0" comes right after "/".
_READ: Final = "SELECT total(cost) FROM usage WHERE call >= held.batch || '/' AND call < held.batch || '0'"
_UNREAD: Final = f"max(0.0, amount * share - ({_READ}))"
_LEFT: Final = f"SELECT total({_UNREAD}) FROM held WHERE at >= ?"  # noqa: S608 - constants
_EACH: Final = f"SELECT batch, at, {_UNREAD} AS unread FROM held WHERE unread > 0 ORDER BY at"  # noqa: S608 - constants
_SPEND: Final = f"""
    INSERT OR IGNORE INTO usage (call, attempt, final, at, provider, model, session, profile, outcome, estimated, cost,
        cached, degraded)
    SELECT batch || '/unread', 1, 1, at, substr(batch, 1, instr(batch, '/') - 1), 'batch', session, profile,
        'unread', 1, {_UNREAD} AS unread, 0, ''
    FROM held WHERE at < ? AND unread > 0
"""  # noqa: S608 - constants


class HeldBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is set aside for a batch.

    Args:
        batch: The provider and the id of the batch, as `key_of` puts them together.
        at: When it was handed in, in nanoseconds since the epoch.
        amount: US dollars that it is expected to cost.
        session: Who handed it in.
        profile: The profile of settings.

    Example:
        >>> HeldBatch(batch=HeldBatch.key_of("openai", "batch_1"), at=0, amount=0.5).batch
        'openai/batch_1'
    """

    batch: str
    at: int
    amount: float
    session: str | None = None
    profile: str = "default"

    @staticmethod
    def key_of(provider: str, batch: str) -> str:
        """What a batch is called; the rows of its requests begin with it.

        Args:
            provider: The id of the provider.
            batch: The id of the batch.
        """
        return f"{provider}/{batch}"


def hold(connection: sqlite3.Connection, held: HeldBatch) -> None:
    """Write down what is set aside for a batch.

    Args:
        connection: To the ledger.
        held: What is set aside.
    """
    told = (held.batch, held.at, held.session, held.profile, held.amount)
    connection.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, 1.0)", told)


def let_go(connection: sqlite3.Connection, batch: str, share: float) -> None:
    """Keep only a share of what was set aside for a batch at first.

    Args:
        connection: To the ledger.
        batch: As `HeldBatch.key_of` puts it together.
        share: From 0, nothing more, to 1.
    """
    if share <= 0:
        connection.execute("DELETE FROM held WHERE batch = ?", (batch,))
        connection.execute("DELETE FROM usage WHERE call = ?", (f"{batch}/unread",))
    else:
        connection.execute("UPDATE held SET share = ? WHERE batch = ?", (min(share, 1.0), batch))


def sum_of_held(
    connection: sqlite3.Connection, since: int, session: str | None = None, profile: str | None = None
) -> float:
    """What is set aside for batches that were handed in since a moment, without what is in the ledger of them already.

    Args:
        connection: To the ledger.
        since: Nanoseconds since the epoch.
        session: Only those of this session.
        profile: Only those of this profile.
    """
    wanted = {"session": session, "profile": profile}
    named = {name: value for name, value in wanted.items() if value is not None}
    where = "".join(f" AND {name} = ?" for name in named)
    row: tuple[float] = connection.execute(f"{_LEFT}{where}", (since, *named.values())).fetchone()
    return row[0]


def spend_unread(connection: sqlite3.Connection, before: int) -> None:
    """Write down as spent what is set aside for batches whose results nobody can read any more.

    Args:
        connection: To the ledger.
        before: They were handed in before this moment, in nanoseconds since the epoch.
    """
    with writing(connection):
        connection.execute(_SPEND, (before,))
        connection.execute("DELETE FROM held WHERE at < ?", (before,))


def held_batches(connection: sqlite3.Connection) -> list[tuple[str, int, float]]:
    """The batches for which something is set aside, the oldest first, in a ledger that may have no table of them.

    Args:
        connection: To the ledger.

    Returns:
        Of each its key, when it was handed in, and US dollars.

    Example:
        >>> connection = sqlite3.connect(":memory:")
        >>> held_batches(connection)
        []
        >>> connection.close()
    """
    return connection.execute(_EACH).fetchall() if connection.execute(_THERE).fetchone() else []
