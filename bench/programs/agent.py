"""The agent of the benchmarks: so many pieces of text, each unlike the one before, at a pace.

It needs no import, so every server that takes an object with ``assist`` runs this same file. The prompt is JSON:
``{"count": 500, "pause": 0}``.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

WORDS = ("The", "answer", "to", "a", "short", "question", "is", "often", "longer", "than", "what", "was", "asked")


class Asked(Protocol):
    @property
    def prompt(self) -> str: ...


class Chunks(Protocol):
    async def emit_chunk(self, chunk: str, /) -> object: ...
    async def complete(self) -> None: ...


class Answer(Protocol):
    def create_text_stream(self, event_name: str, /) -> Chunks: ...
    async def complete(self) -> None: ...


def text(index: int) -> str:
    """The piece of text at a place of the answer."""
    return f"{WORDS[index % len(WORDS)]} {index} "


class Flood:
    """Emits as fast as it is let, or with a pause after each piece."""

    name = "flood"

    async def assist(self, session: object, query: Asked, response: Answer, /) -> None:
        wanted = json.loads(query.prompt)
        count, pause = int(wanted["count"]), float(wanted["pause"])
        stream = response.create_text_stream("FINAL_RESPONSE")
        for index in range(count):
            await stream.emit_chunk(text(index))
            if pause:
                await asyncio.sleep(pause)
        await stream.complete()
        await response.complete()


flood = Flood()
