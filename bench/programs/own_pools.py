"""Asks with our own pool of connections, in HTTP/1.1 or HTTP/2. Part of `bench.llm_http2`.

``python -m bench.programs.own_pools CLIENT URL CERTIFICATE``; speaks as `pools.py` does, in the Python of this project.
"""

from __future__ import annotations

import sys

from bench.programs.pools import BODY, END, Ask, answer_orders
from sentient_cli.llm.compatible import CompatibleConfig
from sentient_cli.llm.wire.transport import Transport


def _ours(url: str, certificate: str, *, http2: bool) -> Ask:
    config = CompatibleConfig(
        base_url=url.removesuffix("/chat/completions"),
        default_model="m",
        ca_file=certificate,
        http2=http2,
        max_connections=1000,
        max_idle=1000,
        keepalive=3600.0,
        lifetime=3600.0,
        pool_timeout=60.0,
    )
    transport = Transport("mine", config)
    headers = {"content-type": "application/json"}

    async def ask() -> None:
        incoming = await transport.open("POST", url, headers, BODY)
        try:
            last = b""
            while piece := await incoming.read_some():
                last = (last + piece)[-64:]
            assert END in last, last
        finally:
            incoming.close()

    return ask


async def main(name: str, url: str, certificate: str) -> None:
    await answer_orders(_ours(url, certificate, http2=name.endswith("HTTP/2")))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*sys.argv[1:]))
