"""Turns a scripted failure into the error that a real provider's failure would become."""

from __future__ import annotations

from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthExceededError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm.offline.script import Failure, FailureKind

__all__ = ["failure_error"]

_ERRORS: dict[FailureKind, tuple[type[ProviderError], str]] = {
    "rate_limit": (RateLimitError, "The provider asks for fewer requests"),
    "server_error": (ServerError, "The provider failed on its side"),
    "connection": (ProviderConnectionError, "The connection to the provider broke"),
    "timeout": (ProviderTimeoutError, "The provider did not answer in time"),
    "content_filter": (ContentFilterError, "The provider filtered the answer"),
    "context_length": (ContextLengthExceededError, "The request is longer than the model's context"),
    "authentication": (AuthenticationError, "The provider refused the key"),
    "permission": (PermissionDeniedError, "The key may not use this model"),
    "quota": (QuotaError, "The account has no budget left"),
    "bad_request": (BadRequestError, "The provider does not accept the request"),
}


def failure_error(failure: Failure, partial_text: str) -> ProviderError:
    """The error of a failure other than ``truncated``, which raises nothing.

    Args:
        failure: The failure.
        partial_text: What came before it.
    """
    kind, what = _ERRORS[failure.kind]
    return kind(
        failure.message.rstrip(".") or what,
        why="The script of the offline model says so",
        provider="offline",
        partial_text=partial_text,
        retry_after=failure.retry_after,
    )
