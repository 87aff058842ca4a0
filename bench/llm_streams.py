"""Many answers at once through the manager, from a server over sockets: errors, connections, memory.

``python -m bench.llm_streams [--quick]``. Waves of 1,000 streams; each has a piece every half second, and what is read
is compared with what was sent. A tenth of each wave is left in the middle, as users do. After each wave no call may
hold a connection, after the last one none may stand. Memory is the resident set of this process: it would grow with
each wave if anything were kept.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import uvloop

from bench.arguments import parser_of
from bench.llm_scenes import Models, provider, scene
from bench.process import memory_bytes
from bench.servers import client_core
from bench.streams import allow_files
from bench.table import show
from sentient_cli.errors import SentientError
from sentient_cli.llm import LLMManager
from sentient_cli.llm.compatible import CompatibleProvider

__all__ = ["Wave", "main", "waves"]

FLAT: Final = 1.03
"""How much larger the process may be after the last wave than after the second."""
LEAVES: Final = 10
"""One stream of so many is left in the middle."""
PAUSE: Final = 0.5


@dataclass(slots=True)
class Wave:
    """What came of a wave.

    Args:
        outcomes: How its streams ended, by name; ``whole`` and ``left`` are as they should be.
        memory: Resident bytes of this process at its end.
        held: Connections that a call holds then.
        standing: Connections of the pool then.
        cpu: Seconds of CPU of this process.
    """

    outcomes: Counter[str] = field(default_factory=Counter[str])
    memory: int = 0
    held: int = 0
    standing: int = 0
    cpu: float = 0.0

    @property
    def errors(self) -> int:
        """Streams that did not end as they should."""
        return sum(self.outcomes.values()) - self.outcomes["whole"] - self.outcomes["left"]


async def _stream(manager: LLMManager, pieces: int, pause: float, *, leave: bool, delay: float) -> str:
    await asyncio.sleep(delay)
    prompt = json.dumps({"pieces": pieces, "pause": pause})
    texts: list[str] = []
    try:
        async with manager.stream(prompt) as answer:
            async for text in answer:
                texts.append(text)
                if leave and len(texts) == pieces // 2:
                    return "left"
    except SentientError as error:
        return type(error).__name__
    return "whole" if texts == [f" token{number}" for number in range(pieces)] else "WRONG"


async def waves(models: Models, streams: int, pieces: int, count: int, pause: float = PAUSE) -> tuple[list[Wave], int]:
    """Read so many waves of streams; give what came of each, and the connections that the server had open at the end.

    Args:
        models: The server of the scene ``paced``.
        streams: In a wave.
        pieces: Of text, in each.
        count: How many waves.
        pause: Seconds between two pieces.
    """
    model = provider(models, "a", connections=streams)
    manager = LLMManager([model], default_model="a")
    found: list[Wave] = []
    for _ in range(count):
        began = time.process_time()
        ended = await asyncio.gather(
            *(
                _stream(manager, pieces, pause, leave=place % LEAVES == 0, delay=2 * pause * place / streams)
                for place in range(streams)
            )
        )
        found.append(_wave(Counter(ended), model, time.process_time() - began))
    await manager.aclose()
    await _until_closed(models)
    return found, models.counts["open"] - 1


async def _until_closed(models: Models) -> None:
    deadline = time.monotonic() + 10
    while models.counts["open"] > 1 and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.02)


def _wave(outcomes: Counter[str], model: CompatibleProvider, cpu: float) -> Wave:
    facts = model.pool
    return Wave(outcomes, memory_bytes(os.getpid())["Rss"], facts.in_use + facts.waiting, facts.open, cpu)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, "Three short waves: a look, not a result.")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--waves", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=10, help="How long a stream takes.")
    chosen = parser.parse_args(arguments)
    allow_files()
    client_core()
    count, seconds = (3, 4) if chosen.quick else (chosen.waves, chosen.seconds)
    pieces = round(seconds / PAUSE)
    with scene("paced") as models:
        found, left_open = uvloop.run(waves(models, chosen.streams, pieces, count))
        counts = models.counts
    errors, held = sum(wave.errors for wave in found), max(wave.held for wave in found)
    grown = found[-1].memory / found[1].memory
    each = sum(wave.cpu for wave in found) / (count * chosen.streams * pieces) * 1e6
    standing = max(wave.standing for wave in found)
    rows: list[Sequence[object]] = [
        ("errors", errors, "0", "ok" if not errors else "MISSED"),
        ("connections that calls held after a wave", held, "0", "ok" if not held else "MISSED"),
        ("connections open at the server at the end", left_open, "0", "ok" if not left_open else "MISSED"),
        ("connections in the pool after a wave", standing, f"<= {chosen.streams}", _verdict(standing, chosen.streams)),
        ("memory, last wave over second", f"{grown:.3f}", f"<= {FLAT}", _verdict(grown, FLAT)),
        ("memory after each wave, MB", " ".join(f"{wave.memory / 2**20:.0f}" for wave in found), "", ""),
        ("connections at the server: most at once", counts["most open"], "", ""),
        ("connections at the server: all", counts["accepted"], "", ""),
        ("left in the middle", sum(wave.outcomes["left"] for wave in found), "", ""),
        ("CPU us a piece, all included", f"{each:.0f}", "", ""),
    ]
    show(f"Manager: {count} waves of {chosen.streams} streams at once", ("", "seen", "target", ""), rows)


def _verdict(seen: float, most: float) -> str:
    return "ok" if seen <= most else "MISSED"


if __name__ == "__main__":
    main()
