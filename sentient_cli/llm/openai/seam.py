"""The one place where what the SDK raises becomes an error of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sentient_cli.errors import (
    BadRequestError,
    ContentFilterError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    SentientError,
)
from sentient_cli.llm.wire.failures import error_of, read_refusal
from sentient_cli.llm.wire.reasons import reason_of
from sentient_cli.llm.wire.refusals import refusal_of
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize

if TYPE_CHECKING:
    import openai

__all__ = ["failure_of_sdk"]


def failure_of_sdk(provider: str, error: Exception) -> Exception:
    """Our error for one of the SDK's, or of the library under it; any other is given back as it is.

    Args:
        provider: Whose.
        error: What was raised.
    """
    import openai  # noqa: PLC0415 - is loaded by now

    if isinstance(error, SentientError):
        return error
    if isinstance(error.__cause__, SentientError):
        return error.__cause__
    if isinstance(error, openai.APIStatusError):
        return _refusal(provider, error)
    if isinstance(error, openai.OpenAIError):
        return _other(provider, error)
    return _below(provider, error)


def _below(provider: str, error: Exception) -> Exception:
    """For what the library under the SDK raises, and the SDK lets through."""
    import httpx2  # noqa: PLC0415 - is loaded by now

    if isinstance(error, httpx2.TimeoutException):
        return _late(provider)
    if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL | httpx2.StreamError):
        return _broken(provider, error)
    return _malformed(provider) if isinstance(error, ValueError) else error  # no JSON, where JSON should be


def _refusal(provider: str, error: openai.APIStatusError) -> ProviderError:
    response = error.response
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = response.content if response.is_closed else b""
    return refusal_of(provider, error.status_code, headers, body)


def _other(provider: str, error: openai.OpenAIError) -> ProviderError:
    import openai  # noqa: PLC0415 - has raised it

    if isinstance(error, openai.APIConnectionError):
        return _late(provider) if isinstance(error, openai.APITimeoutError) else _broken(provider, error)
    if isinstance(error, openai.APIResponseValidationError):
        return _malformed(provider)
    if isinstance(error, openai.APIError):  # in the middle of a stream
        return error_of(provider, None, read_refusal(msgspec.json.encode(error.body or str(error))))
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return ContentFilterError(
            f"The provider {provider!r} filtered the answer", fix="Rephrase what is asked", provider=provider
        )
    if isinstance(error, openai.LengthFinishReasonError):
        return BadRequestError(
            f"The answer of {provider!r} does not fit", fix="Raise the parameter `max_tokens`", provider=provider
        )
    return ProviderError(f"The provider {provider!r} cannot be used", why=_told(error), provider=provider)


def _late(provider: str) -> ProviderTimeoutError:
    return ProviderTimeoutError(
        f"The provider {provider!r} did not answer in time",
        fix="Try again, or raise the provider's `timeout`",
        provider=provider,
    )


def _broken(provider: str, error: Exception) -> ProviderConnectionError:
    return ProviderConnectionError(
        f"The connection to the provider {provider!r} broke",
        why=reason_of(error),
        fix="Try again, and check the network and its `base_url`",
        provider=provider,
    )


def _malformed(provider: str) -> ProviderConnectionError:
    return ProviderConnectionError(
        f"The provider {provider!r} does not answer as it should",
        why="What it sends is not what its API describes",
        fix="Check its `base_url`: most end in `/v1`",
        provider=provider,
        retryable=False,
    )


def _told(error: Exception) -> str:
    return sanitize(redactor.redact(str(error) or type(error).__name__))[:300]
