"""The one place where what the network raises becomes an error of a provider."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sentient_cli.errors import ConfigError, ProviderConnectionError, ProviderError, ProviderTimeoutError, SentientError
from sentient_cli.llm.wire.addresses import port_of
from sentient_cli.llm.wire.broken import (
    GarbledError,
    NoConnectionError,
    NoHttp2Error,
    NotReachedError,
    ProxyFailedError,
    StalledError,
)
from sentient_cli.llm.wire.patience import stalled
from sentient_cli.llm.wire.reasons import reason_of

if TYPE_CHECKING:
    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["failure_of"]


def failure_of(provider: str, error: Exception, config: RemoteConfig, partial_text: str = "") -> Exception:
    """Our error for one of the network's; what is no error of the network is given back as it is.

    Args:
        provider: Whose.
        error: What was raised.
        config: The settings that it was raised under.
        partial_text: The text received before.

    Example:
        >>> from sentient_cli.llm.wire.settings import RemoteConfig
        >>> config = RemoteConfig(default_model="small", base_url="https://models.example.com/v1")
        >>> print(failure_of("mine", ConnectionResetError("Connection reset by peer"), config).what)
        The connection to the provider 'mine' broke
    """
    if isinstance(error, SentientError):
        return error
    failure = _late(provider, error, config) or _unsendable(provider, error) or _unreachable(provider, error, config)
    if isinstance(failure, ProviderError):
        failure.partial_text = partial_text
    return failure or error


def _late(provider: str, error: Exception, config: RemoteConfig) -> ProviderError | None:
    if not isinstance(error, TimeoutError):
        return None
    if isinstance(error, StalledError):
        return stalled(provider, config.patience)
    if isinstance(error, NotReachedError):
        what, setting, seconds = "cannot be reached in time", "connect_timeout", config.connect_timeout
    else:
        what, setting, seconds = "fell silent", "timeout", config.timeout
    late = ProviderTimeoutError(
        f"The provider {provider!r} {what}",
        why=f"It took more than {seconds:g} s",
        fix=f"Try again, or raise the provider's `{setting}`",
        provider=provider,
    )
    late.may_cost = not isinstance(error, NotReachedError)
    return late


def _unsendable(provider: str, error: Exception) -> ConfigError | None:
    # What it says may hold the header, and so the key.
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return ConfigError(
            f"A request to the provider {provider!r} cannot be sent",
            why="A header or the address has characters that are not allowed there",
            fix="Check its `api_key`, `headers` and `base_url` for line breaks and the like",
        )
    return None


def _unreachable(provider: str, error: Exception, config: RemoteConfig) -> ProviderError | None:
    if not isinstance(error, OSError | EOFError):
        return None
    what, fix, retryable = "The connection to the provider {!r} broke", "Try again", True
    if isinstance(error, ProxyFailedError):
        what, fix = "The proxy to the provider {!r} does not work", "Check its setting `proxy`"
    elif isinstance(error, NoHttp2Error):
        what, fix, retryable = "The provider {!r} does not speak HTTP/2", "Remove `http2` from its settings", False
    elif isinstance(error, ssl.SSLError):
        what, retryable = "The provider {!r} cannot be trusted", False
        fix = "Check its `base_url`; a certificate of your own goes into `ca_file`"
    elif isinstance(error, socket.gaierror):
        what, fix = "The provider {!r} has a name that leads nowhere", "Check the network and its `base_url`"
    elif isinstance(error, ConnectionRefusedError | NoConnectionError):
        what, fix = "The provider {!r} cannot be reached", "Check the network and its `base_url`"
        if config.base_url.startswith("http:"):
            fix = "Start it, or check its `base_url`"
    elif isinstance(error, GarbledError):
        what, fix = "The provider {!r} does not speak HTTP as it should", "Check its `base_url`"
    place = urlsplit(config.proxy if what.startswith("The proxy") and config.proxy else config.base_url)
    why = reason_of(error, f"{place.hostname}:{port_of(place)}")
    return ProviderConnectionError(what.format(provider), why=why, fix=fix, provider=provider, retryable=retryable)
