"""The table of keys: columns that line up, within the width of the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentient_cli.cli.keys_times import DAY, ago, length, moment, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentient_cli.cli.console import Console
    from sentient_cli.credentials.catalogue import Card

__all__ = ["columns", "fields", "show_cards", "standing"]

_SOON: Final = 14 * DAY
_GAP: Final = "  "
_LEAST: Final = 6
_NAMES: Final = ("name", "provider", "profile", "store", "fingerprint", "age", "used", "next")
_SPARE: Final = ("provider", "used", "fingerprint", "store", "age", "profile")
"""What a narrow terminal leaves out first."""
_PHASES: Final = {"trying": "rotating", "verified": "rotating", "grace": "rotated"}


def standing(card: Card, now: int) -> str:
    """What comes next for a key, the most serious first; ``-``: nothing."""
    if card.is_begun:
        return "not finished"  # whoever stored it was ended meanwhile
    for at, word in ((card.expires_at, "expired"), (card.due_at, "overdue")):
        if at and at <= now:
            return f"{word} {_since(at, now)}"
    if card.expires_at and card.expires_at - now <= _SOON:
        return f"expires in {until(card.expires_at, now)}"
    if card.phase in {"trying", "verified"}:
        return _PHASES[card.phase]
    ends = [(at, word) for at, word in ((card.expires_at, "expires"), (card.due_at, "due")) if at]
    if ends:
        at, word = min(ends)
        return f"{word} in {until(at, now)}"
    return _PHASES.get(card.phase, "-")


def _since(at: int, now: int) -> str:
    told = length(now - at)
    return told if told == "now" else f"{told} ago"


def fields(card: Card, now: int) -> dict[str, object]:
    """A key as a program reads it."""
    return {
        "name": card.name,
        "profile": card.profile,
        "provider": card.provider or None,
        "store": card.store,
        "fingerprint": card.fingerprint or None,
        "version": card.version or None,
        "phase": card.phase,
        "created": moment(card.created_at),
        "changed": moment(card.changed_at),
        "used": moment(card.used_at),
        "verified": moment(card.verified_at),
        "expires": moment(card.expires_at),
        "due": moment(card.due_at),
        "rotate_every": card.rotate_every or None,
        "hosts": list(card.hosts),
        "next": standing(card, now),
    }


def show_cards(console: Console, cards: Sequence[Card], now: int) -> None:
    """Show keys: a table, or one line of JSON each."""
    if console.json:
        for card in cards:
            console.json_line(fields(card, now))
        return
    rows = [_cells(card, now) for card in cards]
    wanted = [
        name for name in _NAMES if name != "provider" or any(card.provider not in {"", card.name} for card in cards)
    ]
    for line in columns(wanted, rows, console.width(), _SPARE):
        console.data(line)


def columns(names: Sequence[str], rows: Sequence[dict[str, str]], width: int, spare: Sequence[str] = ()) -> list[str]:
    """Lines of a table, the names of its columns first.

    Args:
        names: The columns.
        rows: The cells.
        width: How long a line may be.
        spare: Which columns are left out where there is no room, the first of them first; then the longest are cut.
    """
    kept, left_out = list(names), list(spare)
    widths = _widths(kept, rows)
    while _over(widths, width) > 0 and left_out:
        kept = [name for name in kept if name != left_out[0]]
        widths = _widths(kept, rows)
        del left_out[0]
    while _over(widths, width) > 0 and max(widths.values()) > _LEAST:
        longest = max(widths, key=widths.__getitem__)
        widths[longest] -= 1
    cells = [{name: name for name in kept}, *rows]
    return [_GAP.join(_fitted(row[name], widths[name]) for name in kept).rstrip() for row in cells]


def _widths(names: Sequence[str], rows: Sequence[dict[str, str]]) -> dict[str, int]:
    return {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}


def _over(widths: dict[str, int], width: int) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width


def _fitted(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else f"{text[: width - 3]}..."


def _cells(card: Card, now: int) -> dict[str, str]:
    return {
        "name": card.name,
        "provider": card.provider or "-",
        "profile": card.profile,
        "store": card.store,
        "fingerprint": card.fingerprint or "-",
        "age": ago(card.changed_at, now),
        "used": ago(card.used_at, now),
        "next": standing(card, now),
    }
