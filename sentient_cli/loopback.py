"""Which hosts are this machine, and which addresses a secret may be sent to: those that are encrypted, or are here."""

from __future__ import annotations

import ipaddress
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import SplitResult, urlsplit

__all__ = ["AddressFault", "CheckedAddress", "checked_address", "is_loopback"]

AddressFault: TypeAlias = Literal["none", "password", "open"]
"""It is no address, or holds a name or a password, or is neither encrypted nor of this machine."""

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


class CheckedAddress(NamedTuple):
    """An address that was looked at.

    Args:
        parts: Its parts; None where it has none that can be told.
        fault: What is wrong with it; None: nothing.
    """

    parts: SplitResult | None
    fault: AddressFault | None


def checked_address(url: str) -> CheckedAddress:
    """Whether requests with a secret may be sent to an address.

    Args:
        url: The address.

    Example:
        >>> checked_address("https://vault.example.com:8200").fault is None
        True
        >>> [checked_address(url).fault for url in ("ftp://x", "https://a:b@example.com", "http://example.com")]
        ['none', 'password', 'open']
    """
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        return CheckedAddress(parts, "none")
    if parts.username or parts.password:
        return CheckedAddress(parts, "password")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return CheckedAddress(parts, "open")
    return CheckedAddress(parts, None)


def _split(url: str) -> SplitResult | None:
    if any(character.isspace() or not character.isprintable() for character in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    return parts
