"""One row of the table of faults: what happens, where, and what lets it happen to a provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from tests.llm.providers.faulty import PATIENCE, Outcome, answered
from tests.llm.providers.wires import Wire
from tests.support.llm_server import Answer

__all__ = ["PLACES", "Fault", "Run", "before", "cut_at", "runs"]

PLACES = ("first", "middle", "last")
"""Before the first byte or event, in the middle, and before the one that completes the answer."""

Run: TypeAlias = Callable[[Wire], Awaitable[Outcome]]
"""Lets it happen to a provider."""


@dataclass(frozen=True)
class Fault:
    """One row.

    Args:
        group: What it is a kind of.
        name: What happens.
        place: Where in the answer, if it is one of `PLACES`.
        run: Lets it happen to a provider.
    """

    group: str
    name: str
    place: str
    run: Run


def runs(answer: Callable[[Wire], Answer], patience: float = PATIENCE) -> Run:
    """Has a server give an answer."""
    return lambda wire: answered(wire, answer(wire), patience)


def cut_at(wire: Wire, place: str) -> int:
    """How many bytes of an answer come before a place."""
    return {"first": 0, "middle": wire.complete_at // 2, "last": wire.complete_at - 1}[place]


def before(wire: Wire, place: str) -> int:
    """How many events of an answer come before a place."""
    return {"first": 0, "middle": wire.terminal // 2, "last": wire.terminal}[place]
