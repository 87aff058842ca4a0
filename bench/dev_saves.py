"""From a save to an answer of the new code."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.dev_server import Developed, launch
from bench.dev_tools import ADK_RELOAD, FASTAPI, HEAVY, OURS, UVICORN, Tool
from bench.peers import versions
from bench.ratio import abba, percentile, spread
from bench.table import show

__all__ = ["COMPARED", "Compared", "run", "save"]

_PAUSE: Final = 0.5
_WARM: Final = 2


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared, and the share of their time that ours may take."""

    what: str
    imports: str
    theirs: Tool
    most: float


COMPARED: Final = (
    Compared("imports openai, anthropic", HEAVY, UVICORN, 1 / 20),
    Compared("imports openai, anthropic", HEAVY, FASTAPI, 1 / 20),
    Compared("trivial", "", ADK_RELOAD, 4.0),
)

_chance = random.Random(50)


def save(server: Developed) -> float:
    """Seconds from before the first byte of a save to the end of the first answer that shows it."""
    # What came before is over, and no save is in step with anything that looks at files from time to time.
    time.sleep(_PAUSE + _chance.uniform(0, 0.05))
    if not server.open_session():
        raise RuntimeError(f"{server.tool.name} takes no session:\n{server.tail()}")
    version, text = server.next_version()
    began = time.perf_counter()
    server.source.write_text(text)
    return server.await_version(version) - began


def compare(compared: Compared, rounds: int) -> Sequence[object]:
    """ABBA rounds, a save each; return the row of the table."""
    with (
        launch(OURS, imports=compared.imports) as ours,
        launch(compared.theirs, imports=compared.imports) as theirs,
    ):
        for _ in range(_WARM):
            save(ours)
            save(theirs)
        ours.failed = theirs.failed = 0
        taken = abba(rounds, lambda: save(ours), lambda: save(theirs))
        by_itself = _told(ours)
    mine = [seconds * 1e3 for one, _ in taken for seconds in one]
    other = [seconds * 1e3 for _, one in taken for seconds in one]
    ratio = spread([sum(one) / sum(two) for one, two in taken])
    return (
        compared.theirs.name,
        compared.what,
        f"{ratio.middle:.3f} ({ratio.low:.3f} … {ratio.high:.3f})",
        f"<= {compared.most:g}",
        "ok" if ratio.middle <= compared.most and not ours.failed else "MISSED",
        f"{percentile(mine, 0.5):.1f} ({percentile(mine, 0.95):.1f})",
        f"{percentile(other, 0.5):.1f} ({percentile(other, 0.95):.1f})",
        f"{by_itself:.1f}",
        ours.failed,
        theirs.failed,
    )


def _told(ours: Developed) -> float:
    """Milliseconds that our tool says a reload takes, at the median: without the notice of the save, and the answer."""
    found = [event["seconds"] for event in ours.events() if event["event"] == "reloaded"]
    return percentile([seconds for seconds in found[_WARM:] if isinstance(seconds, float)], 0.5) * 1e3


def run(rounds: int, peers: Sequence[str]) -> None:
    """Print the table: two saves a round each."""
    rows = [compare(one, rounds) for one in COMPARED if not peers or one.theirs.name in peers]
    head = (
        "against", "agent", "share of its time", "target", "", "ms ours: p50 (p95)", "theirs", "dev says",
        "failed requests ours", "theirs",
    )  # fmt: skip
    show(f"Save to new code answering: p50 of {2 * rounds} saves", head, rows)
    for tool in {one.theirs.environment: one.theirs for one in COMPARED}.values():
        print(f"  {versions(tool.environment, tool.packages)}")
