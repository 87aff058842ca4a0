"""From the execution of the command to the agent's first answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.dev_server import launch
from bench.dev_tools import ADK, FASTAPI, LANGGRAPH, OURS, Tool
from bench.peers import versions
from bench.ratio import abba, spread
from bench.table import show

__all__ = ["PEERS", "first_answer", "run"]

PEERS: Final = (ADK, LANGGRAPH, FASTAPI)
_MOST: Final = 1 / 3


def first_answer(tool: Tool) -> float:
    """Seconds until the trivial agent has answered for the first time; then it is ended."""
    with launch(tool, wait=False) as server:
        return server.await_first() - server.began


def compare(theirs: Tool, rounds: int) -> Sequence[object]:
    """ABBA rounds, a start each; return the row of the table."""
    for warm in (OURS, theirs):  # bytecode files are written, and what is read from disk is in memory
        first_answer(warm)
    taken = abba(rounds, lambda: first_answer(OURS), lambda: first_answer(theirs))
    ratio = spread([sum(mine) / sum(other) for mine, other in taken])
    return (
        theirs.name,
        ratio,
        f"<= {_MOST:.2f}",
        "ok" if ratio.middle <= _MOST else "MISSED",
        f"{spread([one for mine, _ in taken for one in mine]).middle * 1e3:.0f}",
        f"{spread([one for _, other in taken for one in other]).middle * 1e3:.0f}",
        versions(theirs.environment, theirs.packages),
    )


def run(rounds: int, peers: Sequence[str]) -> None:
    """Print the table."""
    rows = [compare(tool, rounds) for tool in PEERS if not peers or tool.name in peers]
    head = ("against", "share of its time", "target", "", "ms ours", "theirs", "versions")
    show("Start: from the command to the trivial agent's first answer", head, rows)
