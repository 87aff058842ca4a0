"""The origins and hosts that a server is told to allow: in the form that browsers send, or refused."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["check_host", "check_origin"]

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?"
)
_HOST: Final = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def check_origin(text: str) -> str:
    """An origin as browsers send it: in small letters, without the default port and without a slash at its end.

    Args:
        text: An origin, ``*`` for all of them, or ``null`` for pages that have none.

    Raises:
        ValueError: no browser would send this.

    Example:
        >>> check_origin("https://Agent.Example:443/")
        'https://agent.example'
    """
    lowered = text.lower()
    if lowered in {"*", "null"}:
        return lowered
    found = _ORIGIN.fullmatch(lowered)
    if found is None:
        raise ValueError("Input should be an origin such as `https://example.org`, with a scheme and no path, or `*`")
    port = found["port"]
    kept = f":{port}" if port and port != _DEFAULT_PORTS.get(found["scheme"]) else ""
    return f"{found['scheme']}://{found['host']}{kept}"


def check_host(text: str) -> str:
    """The name or address of a host, in small letters and without brackets.

    Args:
        text: What clients name as their ``Host``, without the port.

    Raises:
        ValueError: it is no name of a host alone.

    Example:
        >>> check_host("Agent.Example"), check_host("[::1]")
        ('agent.example', '::1')
    """
    lowered = text.lower()
    if _HOST.fullmatch(lowered) is None:
        raise ValueError("Input should be a host such as `example.org`, without a scheme, a port or a path")
    return lowered.strip("[]").removesuffix(".")
