"""How usage looks: a table with a bar for each row, within the width of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from sentient_cli.llm.usage.report import By, UsageSum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentient_cli.cli.console import Console

__all__ = ["Shown", "compact", "money", "show", "sums_of"]

_NARROW = 60
_LEAST_BAR = 8
_MOST_BAR = 24
_NAME = 40
_MANY = 40
"""Rows that are shown; the rest is in --json and --csv."""
_FEW = 3
"""Batches that are named."""

Held: TypeAlias = tuple[str, int, float]


class Shown(msgspec.Struct, frozen=True):
    """What is shown.

    Args:
        rows: The sums.
        by: What groups have in common.
        since: From when on, as it was typed.
        today: What was spent today, in US dollars.
        limit: What may be spent a day.
        now: What the time is.
        held: For which batches something is set aside: the key of each, when it was handed in, and US dollars.
    """

    rows: list[UsageSum]
    by: By
    since: str
    today: float
    limit: float | None
    now: datetime
    held: Sequence[Held] = ()


def sums_of(by: By, since: int, today: int) -> tuple[list[UsageSum], float, Sequence[Held]]:
    """The sums of the ledger of this user, what was spent today, and what is set aside for batches.

    Raises:
        StoreError: the ledger cannot be read.
    """
    from sentient_cli.llm.usage.held import held_batches
    from sentient_cli.llm.usage.ledger import ledger_file, open_for_reading
    from sentient_cli.llm.usage.report import sums

    connection = open_for_reading(ledger_file())
    if connection is None:
        return [], 0.0, ()
    try:
        spent = sum(row.cost for row in sums(connection, "provider", since=today))
        return sums(connection, by, since=since), spent, held_batches(connection)
    finally:
        connection.close()


def show(console: Console, shown: Shown) -> None:
    """Show the sums."""
    if console.json:
        for row in shown.rows:
            told = msgspec.structs.asdict(row) | {"cost": row.known_cost}
            console.json_line({shown.by: told.pop("group"), **told, "tokens": row.tokens})
        return
    if not shown.rows:
        console.data(f"No calls{_since(shown.since)}.")
        _say_held(console, shown)
        return
    _table(console, shown)
    failed = sum(row.errors for row in shown.rows)
    if failed:
        console.say(f"{_calls(failed)} failed.")
    unpriced = sum(row.unpriced for row in shown.rows)
    if unpriced:
        console.say(f"The price of {_calls(unpriced)} is not known and not counted.")
    _say_held(console, shown)
    if shown.limit is not None:
        _say_budget(console, shown, shown.limit)


def _say_held(console: Console, shown: Shown) -> None:
    if not shown.held:
        return
    amount = sum(each[2] for each in shown.held)
    named = [f"{_safe(batch)} of {_day(at)}" for batch, at, _ in shown.held[:_FEW]]
    more = len(shown.held) - len(named)
    named += [f"{more} more"] if more else []
    console.say(f"Set aside for batches until their results are read: {money(amount)} ({', '.join(named)}).")


def _day(at: int) -> str:
    return datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%d")


def _since(typed: str) -> str:
    if typed == "all":
        return " yet"
    return f" in the last {typed}" if typed.endswith(("h", "d", "w")) else f" since {typed}"


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _say_budget(console: Console, shown: Shown, limit: float) -> None:
    from sentient_cli.llm.usage.budget import forecast

    expected = forecast(shown.today, int(shown.now.timestamp() * 1e9))
    text = f"Today: {money(shown.today)} of {money(limit)}; at this pace it will be {money(expected)}."
    (console.warn if expected > limit else console.say)(text)


def _table(console: Console, shown: Shown) -> None:
    from rich.text import Text

    rows = _most(shown)
    names = [_name(row) for row in rows]
    digits = _digits(row.cost for row in rows)
    numbers = [_numbers(row, digits) for row in rows]
    total = _numbers(_total(shown.rows), digits)
    heads = ("calls", "tokens in", "out", "cost")
    picked = range(4) if console.width() >= _NARROW else (0, 3) if console.width() >= _NARROW // 2 else (3,)
    widths = {place: max(len(cells[place]) for cells in (heads, total, *numbers)) for place in picked}
    room = console.width() - sum(widths.values()) - 2 * len(widths)
    first = min(max(len(shown.by), len("total"), *map(len, names)), _NAME, max(room - 2 - _LEAST_BAR, 8))
    bar = min(room - first - 2, _MOST_BAR)
    drawn = console.rich()

    def line(name: str, cells: tuple[str, ...], tail: str = "", style: str = "") -> None:
        text = Text(_cut(name, first).ljust(first), style=style)
        for place in picked:
            text.append("  " + cells[place].rjust(widths[place]), style=style)
        if tail:
            text.append("  ").append(tail, style="cyan")
        text.rstrip()
        drawn.print(text, soft_wrap=True)

    line(shown.by, heads, style="bold")
    shares = _shares(rows)
    sign = _sign(console)
    for row, name, cells in zip(rows, names, numbers, strict=True):
        length = round(shares[row.group] * bar) if bar >= _LEAST_BAR else 0
        line(name, cells, sign * max(length, 1 if shares[row.group] and bar >= _LEAST_BAR else 0))
    if len(shown.rows) > 1:
        line("total", total, style="bold")
    if len(shown.rows) > len(rows):
        console.say(f"{len(shown.rows) - len(rows)} more with --json or --csv.")


def _most(shown: Shown) -> list[UsageSum]:
    return shown.rows[-_MANY:] if shown.by == "day" else shown.rows[:_MANY]


def _name(row: UsageSum) -> str:
    return _safe(row.group) or "-"


def _safe(text: str) -> str:
    from sentient_cli.redact import redactor
    from sentient_cli.sanitize import sanitize_line

    return redactor.redact(sanitize_line(text))


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: max(width - 3, 0)]}..."[:width]


def _shares(rows: Sequence[UsageSum]) -> dict[str, float]:
    """How long each bar is: by cost, or by tokens where nothing has cost anything."""
    by_cost = any(row.cost for row in rows)
    sizes = {row.group: row.cost if by_cost else float(row.tokens) for row in rows}
    most = max(sizes.values()) or 1.0
    return {group: size / most for group, size in sizes.items()}


def _sign(console: Console) -> str:
    encoding = getattr(console.stdout, "encoding", None) or "ascii"
    try:
        "█".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"


def _total(rows: Sequence[UsageSum]) -> UsageSum:
    return UsageSum(
        group="total",
        calls=sum(row.calls for row in rows),
        input=sum(row.tokens - row.output for row in rows),
        output=sum(row.output for row in rows),
        unpriced=sum(row.unpriced for row in rows),
        cost=sum(row.cost for row in rows),
    )


def _digits(amounts: Iterable[float]) -> int:
    """Digits behind the point with which the smallest of these amounts says something: a column has the same."""
    least = min((amount for amount in amounts if amount), default=1.0)
    return next((digits for digits in (2, 4) if least >= 10**-digits), 6)


def _numbers(row: UsageSum, digits: int) -> tuple[str, str, str, str]:
    known = row.known_cost
    cost = "?" if known is None else "$0" if known == 0 else f"${known:,.{digits}f}"
    if known and known < 10**-digits:
        cost = money(known)
    return str(row.calls), compact(row.tokens - row.output), compact(row.output), cost


def compact(number: int) -> str:
    """A number of tokens as one reads it.

    Example:
        >>> compact(999), compact(12_345), compact(3_400_000)
        ('999', '12.3k', '3.4M')
    """
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.1f}{sign}"
    return str(number)


def money(amount: float) -> str:
    """US dollars with as many digits as say something.

    Example:
        >>> money(0), money(0.00012), money(3.14159), money(1e-9)
        ('$0', '$0.00012', '$3.14', '<$0.000001')
    """
    if amount == 0:
        return "$0"
    if amount >= 1:
        return f"${amount:,.2f}"
    text = f"{amount:.6f}".rstrip("0")
    return f"${text}" if text != "0." else "<$0.000001"
