"""The agent of the benchmarks that keeps to a pace: ``{"count": 500, "rate": 200}`` is 200 pieces of text a second, and
with ``"step": 10`` ten of them together, twenty times a second.

A piece that is late does not delay those that follow, so that the pace is the same for a slow server and a fast one.
With no rate they come as fast as the server takes them.
"""

from __future__ import annotations

import asyncio
import json
from typing import Protocol

VERSION = "000000"


class Asked(Protocol):
    @property
    def prompt(self) -> str: ...


class Chunks(Protocol):
    async def emit_chunk(self, chunk: str, /) -> object: ...
    async def complete(self) -> None: ...


class Answer(Protocol):
    def create_text_stream(self, event_name: str, /) -> Chunks: ...
    async def complete(self) -> None: ...


class Paced:
    """Each piece has the version of this code, and its place in the answer."""

    name = "paced"

    async def assist(self, session: object, query: Asked, response: Answer, /) -> None:
        wanted = json.loads(query.prompt)
        count, rate = int(wanted["count"]), float(wanted["rate"])
        step = int(wanted["step"])
        stream = response.create_text_stream("FINAL_RESPONSE")
        began = asyncio.get_running_loop().time()
        for index in range(count):
            if rate and index % step == 0:
                await asyncio.sleep(max(0.0, began + index / rate - asyncio.get_running_loop().time()))
            await stream.emit_chunk(f"{VERSION} {index} ")
        await stream.complete()
        await response.complete()


paced = Paced()
