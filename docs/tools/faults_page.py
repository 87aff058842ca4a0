"""Write ``docs/faults.md``: what comes of each fault of a network or a server, run against each provider on loopback.

Run with ``--check`` it writes nothing and fails when the page is stale.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.llm.providers.fault_table import Fault, described, faults
from tests.llm.providers.faulty import over_http2, with_another_model
from tests.llm.providers.wires import WIRES

_PAGE = Path(__file__).resolve().parents[1] / "faults.md"
_NAMES = {
    "compatible": "a compatible server",
    "openai": "OpenAI, chat",
    "responses": "OpenAI, responses",
    "anthropic": "Anthropic",
}
_COLUMNS = "| what happens | where | what comes of it | in HTTP/2 | with another model |\n|---|---|---|---|---|\n"
_HEAD = """# What comes of a fault

Made by `make docs` from calls that it lets fail on loopback, each against a compatible server, OpenAI by both of its
APIs, and Anthropic; do not edit. All four come to the same, or the row says who does not.

*First* is before the first byte or event of an answer, *middle* in its middle, *last* one byte or event before it is
complete. What comes of it is the [code of the error](errors.md). *Again*: the [pipeline](resilience.md) may try once
more, or go to another model. *The text so far* is in `error.partial_text`, and where a model answers again the
pipeline goes on from it. Each time the connection is closed, no task and no open file is left, and no error shows the
key. *In HTTP/2*: the same with the setting `http2`, where it is not as in HTTP/1.1; instead of the connection, one call
of it is reset. *With another model*: the same call through a manager whose group has a second model, on a server of its
own that works; which of the providers has that one makes no difference.

A call that is cancelled, at whichever of its awaits, leaves nothing either.
"""


class Row(NamedTuple):
    """What happens, and what comes of it for each provider: alone, in HTTP/2, and where there is another model."""

    fault: Fault
    alone: Sequence[str]
    http2: Sequence[str]
    helped: Sequence[str]


async def _cells(row: Fault) -> list[str]:
    return [described(await row.run(wire)) for wire in WIRES]


async def rows() -> list[Row]:
    """Let everything happen, one after another."""
    table = [*faults()]
    alone = [await _cells(row) for row in table]
    async with over_http2():
        http2 = [await _cells(row) for row in table]
    async with with_another_model():
        helped = [await _cells(row) for row in table]
    return [*map(Row, table, alone, http2, helped)]


def _told(cells: Sequence[str]) -> str:
    if len(set(cells)) == 1:
        return cells[0]
    return "; ".join(f"{_NAMES[wire.name]}: {cell}" for wire, cell in zip(WIRES, cells, strict=True))


def page(table: Sequence[Row]) -> str:
    """The whole page as Markdown."""
    lines: list[str] = [_HEAD]
    group = ""
    order = list(dict.fromkeys(row.fault.group for row in table))
    for fault, alone, http2, helped in sorted(table, key=lambda each: order.index(each.fault.group)):
        if fault.group != group:
            group = fault.group
            lines.append(f"\n## {group}\n\n{_COLUMNS}")
        other = "" if http2 == alone else _told(http2)
        lines.append(f"| {fault.name} | {fault.place} | {_told(alone)} | {other} | {_told(helped)} |\n")
    return "".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Write or check the page; 1 when it is stale."""
    text = page(asyncio.run(rows()))
    if "--check" in arguments:
        stale = not _PAGE.exists() or _PAGE.read_text("utf-8") != text
        if stale:
            print("docs/faults.md is stale: run `make docs`", file=sys.stderr)
        return int(stale)
    _PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
