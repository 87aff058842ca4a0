"""The one place where exceptions of the SDK, and of what it stands on, become ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sentient_cli.errors import (
    ConfigError,
    CredentialNotFoundError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    SentientError,
)
from sentient_cli.llm.anthropic.meaning import meaning_of, read_told
from sentient_cli.llm.wire.reasons import reason_of, roots
from sentient_cli.llm.wire.refusals import refusal_of
from sentient_cli.llm.wire.seam import failure_of

if TYPE_CHECKING:
    import anthropic

    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["foreign", "mapped", "no_key", "refused"]

_ELSEWHERE = range(300, 400)
_IN_STREAM = 200
"""The status that the SDK gives to errors that came within a stream."""


def foreign() -> tuple[type[Exception], ...]:
    """The classes of exceptions that a call can raise besides ours."""
    import anthropic  # noqa: PLC0415 - whoever asks has made a call, which loads them
    import httpx2  # noqa: PLC0415

    return (
        anthropic.AnthropicError,
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpx2.CookieConflict,
        httpx2.StreamError,
        OSError,
        EOFError,
        ValueError,
    )


def mapped(error: Exception, provider: str, config: RemoteConfig) -> SentientError:
    """Our error for a foreign one.

    Args:
        error: One of `foreign`.
        provider: Whose call it was.
        config: The settings that it was made under.

    Example:
        >>> from sentient_cli.llm.anthropic.config import AnthropicConfig
        >>> type(mapped(TimeoutError(), "anthropic", AnthropicConfig())).__name__
        'ProviderTimeoutError'
    """
    import anthropic  # noqa: PLC0415 - has raised it

    if isinstance(error.__cause__, SentientError):  # of our own connections, with the SDK's words around it
        return error.__cause__
    if isinstance(error, anthropic.CredentialsError):
        return no_key(provider)
    if isinstance(error, anthropic.APIStatusError):
        return _status_of(error, provider)
    return _broken(error, provider, config)


def _status_of(error: anthropic.APIStatusError, provider: str) -> ProviderError:
    import httpx2  # noqa: PLC0415 - is what it came with

    try:
        body = error.response.content
    except httpx2.ResponseNotRead:
        body = error.message.encode()
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    return refused(provider, error.status_code, headers, body)


def refused(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error of an answer whose status is not one of success.

    Args:
        provider: Whose.
        status: Its status; that of success stands for an error within a stream.
        headers: With names in lower case.
        body: What it carries.

    Example:
        >>> type(refused("anthropic", 529, {}, b"")).__name__
        'ServerError'
    """
    if status in _ELSEWHERE:
        return refusal_of(provider, status, headers, body)
    return meaning_of(provider, None if status == _IN_STREAM else status, read_told(body), headers)


def _broken(error: Exception, provider: str, config: RemoteConfig) -> SentientError:
    import anthropic  # noqa: PLC0415 - one of them has raised it
    import httpx2  # noqa: PLC0415

    first = roots(error)[-1]  # what the SDK says itself is "Connection error."
    if isinstance(first, OSError | EOFError):
        ours = failure_of(provider, first, config)
        if isinstance(ours, SentientError):
            return ours
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return ProviderTimeoutError(
            f"The provider {provider!r} fell silent",
            why=f"It took more than {config.timeout:g} s",
            fix="Try again, or raise the provider's `timeout`",
            provider=provider,
        )
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol) or type(first) is ValueError:
        return ConfigError(  # what it says may hold a header, and so the key
            f"A request to the provider {provider!r} cannot be sent",
            why="A header or the address has characters that are not allowed there",
            fix="Check its `api_key`, `headers` and `base_url`",
        )
    return ProviderConnectionError(
        f"The connection to the provider {provider!r} broke",
        why=reason_of(error),
        fix="Try again",
        provider=provider,
    )


def no_key(provider: str) -> CredentialNotFoundError:
    """The error of a call without a key."""
    return CredentialNotFoundError(
        f"The provider {provider!r} has no key",
        why="Neither its setting `api_key` nor the environment variable ANTHROPIC_API_KEY holds one",
        fix="Set ANTHROPIC_API_KEY; `sentient doctor` says where keys come from. "
        "The model `offline` needs no key and no network",
    )
