"""What is due of credentials, out of the catalogue alone: what ends, what is to be rotated, what was left half-way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

from sentient_cli.credentials.catalogue import Card

__all__ = ["DUE_SOON", "EXPIRES_SOON", "Fault", "Warned", "warnings_of"]

Fault: TypeAlias = Literal["expired", "expires-soon", "overdue", "due-soon", "unfinished", "grace-over"]
_SECOND: Final = 1_000_000_000
_DAY: Final = 24 * 3600 * _SECOND
EXPIRES_SOON: Final = 14 * _DAY
"""Nanoseconds before its end within which a credential is warned of."""
DUE_SOON: Final = 3 * _DAY
"""The same before a rotation is due."""


class Warned(NamedTuple):
    """What is due of a credential.

    Args:
        card: The credential.
        fault: What it is.
        text: The same for people, one sentence without a full stop.
        fix: A command that helps.
        serious: Whether calls fail, or will without warning.

    Example:
        >>> card = Card(profile="default", name="openai", store="keyring", expires_at=10**18)
        >>> (warned,) = warnings_of([card], now=2 * 10**18)
        >>> warned.fault, warned.text
        ('expired', 'The credential default/openai has expired 11574 days ago')
    """

    card: Card
    fault: Fault
    text: str
    fix: str
    serious: bool = False


def warnings_of(cards: Iterable[Card], *, now: int) -> tuple[Warned, ...]:
    """What is due, in the order of the cards.

    Args:
        cards: What there is.
        now: What the time is, in nanoseconds since the epoch.
    """
    return tuple(warned for card in cards for warned in _of(card, now))


def _of(card: Card, now: int) -> list[Warned]:
    found: list[Warned] = []
    named = f"The credential {card.address}"
    flags = f"{card.name} --profile {card.profile}"
    rotate = f"Run `sentient keys rotate {flags}`"
    if card.expires_at:
        left = card.expires_at - now
        if left <= 0:
            found.append(Warned(card, "expired", f"{named} has expired {_ago(-left)}", rotate, serious=True))
        elif left <= EXPIRES_SOON:
            found.append(Warned(card, "expires-soon", f"{named} expires {_in(left)}", rotate))
    if card.due_at:
        late = now - card.due_at
        if late >= 0:
            found.append(Warned(card, "overdue", f"{named} was to be rotated {_ago(late)}", rotate))
        elif -late <= DUE_SOON:
            found.append(Warned(card, "due-soon", f"{named} is to be rotated {_in(-late)}", rotate))
    resume = f"Run `sentient keys rotate {flags} --resume`"
    if card.phase in {"trying", "verified"}:
        found.append(Warned(card, "unfinished", f"A rotation of {card.address} was not finished", resume))
    elif card.phase == "grace" and card.retire_at and card.retire_at <= now:
        text = f"The grace of the value before of {card.address} is over, and it is still kept"
        found.append(Warned(card, "grace-over", text, resume))
    return found


def _ago(span: int) -> str:
    return f"{_length(span)} ago" if span >= _SECOND else "just now"


def _in(span: int) -> str:
    return f"in {_length(span)}"


def _length(span: int) -> str:
    seconds = span // _SECOND
    for unit, name in ((24 * 3600, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            count = seconds // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a minute"
