"""Which addresses a provider may have, and how those are trusted that are encrypted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from sentient_cli.errors import ConfigError
from sentient_cli.loopback import checked_address

if TYPE_CHECKING:
    import ssl

    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["check_address", "port_of", "tls_context"]


def port_of(parts: SplitResult) -> int:
    """The port of an address.

    Example:
        >>> from urllib.parse import urlsplit
        >>> port_of(urlsplit("https://models.example.com/v1"))
        443
    """
    return parts.port or (443 if parts.scheme == "https" else 80)


@lru_cache(maxsize=256)  # each call asks
def check_address(provider: str, url: str) -> None:
    """Find out whether requests may be sent there.

    Args:
        provider: Whose address it is, for the error.
        url: The address.

    Raises:
        ConfigError: it is none, or is not encrypted and not of this machine.

    Example:
        >>> check_address("mine", "http://127.0.0.1:8080/v1")
        >>> check_address("mine", "https://models.example.com/v1")
    """
    parts, fault = checked_address(url)
    if parts is None or fault == "none":
        raise ConfigError(
            f"The provider {provider!r} has no address that requests can be sent to",
            why=f"`base_url` is {_shown(parts, url)!r:.120}" if url else "`base_url` is empty",
            fix="Set `base_url` to something like `https://models.example.com/v1`",
        )
    if fault == "password":
        raise ConfigError(
            f"The address of the provider {provider!r} holds a name or a password",
            why="Addresses are written to logs",
            fix="Give the credential as `api_key`",
        )
    if fault == "open":
        raise ConfigError(
            f"The provider {provider!r} would be asked without encryption",
            why=f"`base_url` is `http://{parts.hostname}`, which is not this machine",
            fix="Use `https`, or reach it through a tunnel that ends on this machine",
        )


def _shown(parts: SplitResult | None, url: str) -> str:
    return "something else" if parts is None or "@" in url else url


def tls_context(provider: str, config: RemoteConfig) -> ssl.SSLContext | bool:
    """What is trusted: a file's certificates, or the system's. ``True`` stands for the latter where none are needed.

    Raises:
        ConfigError: the file cannot be read or has no certificates.
    """
    if config.base_url.startswith("http:") and config.ca_file is None:
        return True
    import ssl  # noqa: PLC0415 - loading the system's certificates takes 20 ms

    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ConfigError(
            f"The certificates of the provider {provider!r} cannot be read",
            why=f"{config.ca_file!r:.200}: {getattr(error, 'strerror', None) or error}",
            fix="Set `ca_file` to a file of certificates in PEM",
        ) from error
