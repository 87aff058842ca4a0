"""Which hosts are this machine."""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = ["is_loopback"]

_LOCAL: Final = "localhost"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and can be nothing else.

    Args:
        host: A name in small letters, or an address without brackets.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("localhost.example.com")
        (True, True, False)
    """
    if host == _LOCAL or host.endswith(f".{_LOCAL}"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
