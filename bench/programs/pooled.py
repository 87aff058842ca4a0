"""Asks a model server as one load does, by one profile of connections. Part of `bench.llm_pools`.

``python -m bench.programs.pooled URL CERTIFICATE PROFILE LOAD SCALE``. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Final, cast

from bench.process import memory_bytes
from sentient_cli.config.pools import Profile
from sentient_cli.errors import SentientError
from sentient_cli.llm import Message, Request
from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider
from sentient_cli.llm.wire.pooling import PROFILES

FASTER: Final = 60
"""A second of it is a minute of what it plays."""
FEWER: Final = 10
"""One call or connection of it is so many of what it plays."""


@dataclass
class Taken:
    """What a load came to."""

    cpu: float = 0.0
    first: list[float] = field(default_factory=list[float])
    failed: int = 0
    standing: int = 0
    peak: int = 0
    rest: int = 0


class Client:
    """Asks, and counts."""

    def __init__(self, url: str, certificate: str, profile: Profile) -> None:
        times = PROFILES[profile]
        config = CompatibleConfig(
            base_url=url,
            default_model="m",
            ca_file=certificate,
            pool=profile,
            max_connections=times.max_connections // FEWER,
            max_idle=times.max_idle // FEWER,
            keepalive=times.keepalive / FASTER,
            lifetime=times.lifetime / FASTER,
            pool_timeout=times.pool_timeout / FASTER,
        )
        self.provider = CompatibleProvider("compatible", config)
        self.taken = Taken()

    async def ask(self, pieces: int = 20, pause: float = 0.0, delay: float = 0.0) -> None:
        await asyncio.sleep(delay)
        prompt = json.dumps({"pieces": pieces, "pause": pause})
        began = time.perf_counter()
        seen = 0
        try:
            async for chunk in self.provider.stream(Request(model="m", messages=(Message.user(prompt),))):
                if chunk.text and not seen:
                    self.taken.first.append((time.perf_counter() - began) * 1e3)
                seen += bool(chunk.text)
        except SentientError:
            self.taken.failed += 1
            return
        assert seen == pieces, seen


async def steady(client: Client, scale: float) -> None:
    """Four hundred who ask thirty times, twelve seconds after an answer of six."""

    async def reader(place: int) -> None:
        await asyncio.sleep(place / 200)
        for _ in range(round(30 * scale)):
            await client.ask(20, 6 / FASTER / 20)
            await asyncio.sleep(12 / FASTER)

    await asyncio.gather(*map(reader, range(400 // FEWER)))


async def bursty(client: Client, scale: float) -> None:
    """Eight hundred at once, every two minutes."""
    for _ in range(max(2, round(5 * scale))):
        await asyncio.gather(*(client.ask() for _ in range(800 // FEWER)))
        await asyncio.sleep(120 / FASTER)


async def streaming(client: Client, scale: float) -> None:
    """Twelve hundred answers of ten minutes, begun within six."""
    count = round(1200 / FEWER * max(scale, 0.9))
    await asyncio.gather(
        *(client.ask(9, 600 / FASTER / 8, delay=360 / FASTER * place / count) for place in range(count))
    )


LOADS: Final[dict[str, Callable[[Client, float], Awaitable[None]]]] = {
    "steady": steady,
    "bursty": bursty,
    "streaming": streaming,
}


async def main(url: str, certificate: str, profile: str, load: str, scale: str) -> None:
    client = Client(url, certificate, cast("Profile", profile))
    await client.ask()  # everything is loaded
    client.taken = Taken()
    began = time.process_time()
    await LOADS[load](client, float(scale))
    taken = client.taken
    taken.cpu = time.process_time() - began
    taken.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    taken.standing = client.provider.pool.open
    taken.rest = memory_bytes(os.getpid())["Rss"]
    await client.provider.aclose()
    print(json.dumps(asdict(taken)), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*sys.argv[1:]))
