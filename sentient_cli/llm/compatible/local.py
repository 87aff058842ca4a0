"""Local servers, found on the ports that they usually listen on."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Final

import msgspec

from sentient_cli.errors import SentientError
from sentient_cli.llm.chatwire.listing import models_in
from sentient_cli.llm.compatible.vendors import VENDORS, Vendor
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport

__all__ = ["LocalServer", "find_local"]

_LIMIT: Final = 4 * 1024 * 1024
_OWNERS: Final = {"vllm": "vllm", "llamacpp": "llamacpp", "library": "ollama", "organization_owner": "lmstudio"}
"""Who a server says that its models belong to, and so what it is."""
_SHARED: Final = frozenset({8000, 8080})
"""Ports on which much else listens: there a server has to say what it is."""


class LocalServer(msgspec.Struct, frozen=True):
    """A server that was found.

    Args:
        vendor: What it is: an id of the table.
        base_url: Where it is.
        models: The models that it has.
    """

    vendor: str
    base_url: str
    models: tuple[str, ...] = ()


async def find_local(*, seconds: float = 0.2, ports: tuple[tuple[str, int], ...] = ()) -> tuple[LocalServer, ...]:
    """Look for servers on this machine, on all ports at once.

    Args:
        seconds: How long to look.
        ports: Where to look besides, as ids of the table with ports.

    Example:
        >>> found = asyncio.run(find_local(seconds=0.01))
        >>> all(server.vendor in VENDORS for server in found)
        True
    """
    import_module("sentient_cli.llm.wire.http1.pool")  # before the clock runs

    usual = ((vendor.id, vendor.port) for vendor in VENDORS.values() if vendor.port is not None)
    places = tuple(dict.fromkeys((*usual, *ports)))
    looks = [asyncio.create_task(_look(VENDORS[name], port, seconds)) for name, port in places]
    try:
        found = await asyncio.gather(*looks)
    finally:
        for look in looks:
            look.cancel()
    return tuple(server for server in found if server is not None)


async def _look(vendor: Vendor, port: int, seconds: float) -> LocalServer | None:
    base_url = f"http://127.0.0.1:{port}/v1"
    config = RemoteConfig(default_model="", base_url=base_url, timeout=seconds, connect_timeout=seconds)
    transport = Transport(vendor.id, config)
    try:
        async with asyncio.timeout(seconds):
            fetched = await transport.fetch("GET", f"{base_url}/models", {}, limit=_LIMIT)
        told: JsonValue = msgspec.json.decode(fetched.body)
    except (SentientError, TimeoutError, msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    finally:
        await transport.aclose()
    name = _OWNERS.get(_owner(told)) or (None if port in _SHARED else vendor.id)
    if name is None or not isinstance(told, dict) or not isinstance(told.get("data"), list):
        return None
    return LocalServer(name, base_url, tuple(model.id for model in models_in(told)))


def _owner(told: JsonValue) -> str:
    items = told.get("data") if isinstance(told, dict) else None
    first = items[0] if isinstance(items, list) and items else None
    owner = first.get("owned_by") if isinstance(first, dict) else None
    return owner if isinstance(owner, str) else ""
