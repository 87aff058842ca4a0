"""Where the service of a store may be: at an encrypted address, or on this machine."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult

from sentient_cli.errors import CredentialStoreError
from sentient_cli.loopback import checked_address
from sentient_cli.sanitize import sanitize_line

__all__ = ["check_address", "named_place"]

_LONGEST: Final = 120


def check_address(service: str, url: str) -> SplitResult:
    """The parts of an address that requests may be sent to.

    Args:
        service: Whose it is, for the error.
        url: The address.

    Raises:
        CredentialStoreError: it is none, holds a password, or is neither encrypted nor of this machine.

    Example:
        >>> check_address("Vault", "https://vault.example.com:8200").port
        8200
    """
    parts, fault = checked_address(url)
    if parts is None or fault == "none" or parts.query or parts.fragment:
        shown = "something else" if parts is None or "@" in url else sanitize_line(url)[:_LONGEST]
        raise CredentialStoreError(
            f"{service} has no address that requests can be sent to",
            why=f"It is {shown!r}" if url else "None is set",
            fix="Set it to something like `https://vault.example.com:8200`",
        )
    if fault == "password":
        raise CredentialStoreError(
            f"The address of {service} holds a name or a password",
            why="Addresses are written to logs",
            fix="Leave it out, and give the token as the documentation of this store says",
        )
    if fault == "open":
        raise CredentialStoreError(
            f"{service} would be asked without encryption",
            why=f"Its address is `http://{parts.hostname}`, which is not this machine",
            fix="Use `https`, or reach it through a tunnel that ends on this machine",
        )
    return parts


def named_place(location: str) -> str:
    """What is told of the place that an answer names: scheme, host and port alone, or nothing.

    Example:
        >>> named_place("https://node-2.example.com:8200/v1/secret?x=1")
        ': `https://node-2.example.com:8200`'
    """
    parts = checked_address(location).parts
    if parts is None or not parts.hostname:
        return ""
    port = f":{parts.port}" if parts.port else ""
    return f": `{sanitize_line(f'{parts.scheme}://{parts.hostname}{port}')[:_LONGEST]}`"
