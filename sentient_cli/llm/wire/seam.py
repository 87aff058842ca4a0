"""The one place where what the network's library raises becomes an error of ours."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from sentient_cli.errors import ConfigError, ProviderConnectionError, ProviderError, ProviderTimeoutError, SentientError
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize

if TYPE_CHECKING:
    import aiohttp

    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["failure_of"]

_LONGEST = 300


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
    import aiohttp  # noqa: PLC0415 - has raised it

    if not isinstance(error, TimeoutError):
        return None
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        what, setting, seconds = "cannot be reached in time", "connect_timeout", config.connect_timeout
    else:
        what, setting, seconds = "fell silent", "timeout", config.timeout
    return ProviderTimeoutError(
        f"The provider {provider!r} {what}",
        why=f"It took more than {seconds:g} s",
        fix=f"Try again, or raise the provider's `{setting}`",
        provider=provider,
    )


def _unsendable(provider: str, error: Exception) -> ConfigError | None:
    import aiohttp  # noqa: PLC0415 - has raised it

    # What it says may hold the header, and so the key.
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return ConfigError(f"The address of the provider {provider!r} is none", fix="Correct its `base_url`")
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return ConfigError(
            f"A request to the provider {provider!r} cannot be sent",
            why="A header or the address has characters that are not allowed there",
            fix="Check its `api_key`, `headers` and `base_url` for line breaks and the like",
        )
    return None


def _unreachable(provider: str, error: Exception, config: RemoteConfig) -> ProviderError | None:
    import aiohttp  # noqa: PLC0415 - has raised it
    from aiohttp.http_exceptions import HttpProcessingError  # noqa: PLC0415 - the same

    if not isinstance(error, aiohttp.ClientError | HttpProcessingError | OSError | EOFError):
        return None
    what, fix, retryable = "The connection to the provider {!r} broke", "Try again", True
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        what, fix = "The proxy to the provider {!r} does not work", "Check its setting `proxy`"
    elif isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch) or _is_tls(error):
        what, retryable = "The provider {!r} cannot be trusted", False
        fix = "Check its `base_url`; a certificate of your own goes into `ca_file`"
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        what, fix = "The provider {!r} has a name that leads nowhere", "Check the network and its `base_url`"
    elif isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        what, fix = "The provider {!r} cannot be reached", "Check the network and its `base_url`"
        if config.base_url.startswith("http:"):
            fix = "Start it, or check its `base_url`"
    elif isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        what, fix = "The provider {!r} does not speak HTTP as it should", "Check its `base_url`"
    return ProviderConnectionError(
        what.format(provider), why=_told(error), fix=fix, provider=provider, retryable=retryable
    )


def _is_tls(error: Exception) -> bool:
    import ssl  # noqa: PLC0415 - only looked at when something failed

    return isinstance(error, ssl.SSLError)


def _told(error: Exception) -> str:
    import aiohttp  # noqa: PLC0415 - has raised it

    if isinstance(error, aiohttp.ClientResponseError):  # its text has the address with its query
        return f"{type(error).__name__}: status {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        text = _of_connecting(error)
    else:
        text = str(error) or type(error).__name__
    return sanitize(redactor.redact(text))[:_LONGEST]


def _of_connecting(error: aiohttp.ClientConnectorError) -> str:
    # The library's own words speak of its settings for TLS, also where there is none.
    cause, place = error.os_error, f"{error.host}:{error.port}"
    if isinstance(cause, ConnectionRefusedError) or cause.errno == errno.ECONNREFUSED:
        return f"{place} refused the connection: nothing listens there"
    return f"{place}: {cause.strerror or cause}"
