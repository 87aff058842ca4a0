"""What a provider's refusal means: by its type and code first, then by its status, never by what its text says."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping
from datetime import UTC
from typing import Final, TypeAlias

import msgspec

from sentient_cli.errors import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextLengthExceededError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.counts import Counts, counts_of
from sentient_cli.redact import redactor
from sentient_cli.sanitize import sanitize, sanitize_line

__all__ = ["Refusal", "error_of", "read_refusal", "retry_after_of"]

Kind: TypeAlias = type[ProviderError]

_CODES: Final[dict[str, Kind]] = {
    # OpenAI and those that speak like it
    "insufficient_quota": QuotaError,
    "billing_hard_limit_reached": QuotaError,
    "billing_not_active": QuotaError,
    "context_length_exceeded": ContextLengthExceededError,
    "string_above_max_length": ContextLengthExceededError,
    "exceed_context_size_error": ContextLengthExceededError,
    "content_filter": ContentFilterError,
    "content_policy_violation": ContentFilterError,
    "invalid_prompt": ContentFilterError,
    "invalid_api_key": AuthenticationError,
    "rate_limit_exceeded": RateLimitError,
    "tokens_exceeded": RateLimitError,
    "server_error": ServerError,
    "model_not_found": ModelNotFoundError,
    # Anthropic
    "authentication_error": AuthenticationError,
    "permission_error": PermissionDeniedError,
    "billing_error": QuotaError,
    "rate_limit_error": RateLimitError,
    "overloaded_error": ServerError,
    "api_error": ServerError,
    "timeout_error": ProviderTimeoutError,
    "request_too_large": BadRequestError,
    "not_found_error": ModelNotFoundError,
    "invalid_request_error": BadRequestError,
}
_VAGUE: Final = frozenset({"invalid_request_error", "api_error", "server_error"})
"""Types that say less than most codes and statuses do."""
_STATUSES: Final[dict[int, Kind]] = {
    401: AuthenticationError,
    402: QuotaError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    408: ProviderTimeoutError,
    409: ServerError,
    413: BadRequestError,
    425: ServerError,
    429: RateLimitError,
    504: ProviderTimeoutError,
}
_FIXES: Final[tuple[tuple[Kind, str], ...]] = (
    (AuthenticationError, "Check the key: `sentient doctor` says where it comes from. The model `offline` needs none"),
    (PermissionDeniedError, "Ask for access to this model, or use another key"),
    (QuotaError, "Add credit to the account, or use another key or provider"),
    (RateLimitError, "Wait a moment, send less at once, or add another key or provider"),
    (ContextLengthExceededError, "Shorten the conversation, or use a model with a larger context"),
    (ContentFilterError, "Rephrase what is asked"),
    (ModelNotFoundError, "Correct the model's name or the provider's `base_url`, or choose another model"),
    (BadRequestError, "Correct the request"),
    (ProviderTimeoutError, "Try again, or raise the provider's `timeout`"),
    (ProviderConnectionError, "Check the network and the provider's `base_url`"),
    (ServerError, "Try again, or add another provider to fall back on"),
)
_AGAIN: Final = frozenset({408, 409, 425, 429})
"""The only refusals between 400 and 499 after which the same request can succeed."""
_TOO_LARGE: Final = 413
_NEVER: Final = 1e9
"""Seconds that nobody means."""
_LONGEST: Final = 500
_LONGEST_CODE: Final = 80


class Refusal(msgspec.Struct, frozen=True):
    """What the body of a refusal says.

    Args:
        message: For a reader.
        kind: Its ``type``.
        code: Its ``code``.
        param: Which parameter it is about.
        counts: Of a request that is too long: how long it was.
    """

    message: str = ""
    kind: str = ""
    code: str = ""
    param: str = ""
    counts: Counts | None = None


def read_refusal(body: bytes) -> Refusal:
    """What a body says, in whatever of the usual shapes.

    Example:
        >>> read_refusal(b'{"error":{"message":"No.","type":"invalid_request_error","code":null}}').kind
        'invalid_request_error'
        >>> read_refusal(b"<html>Bad gateway").message
        '<html>Bad gateway'
    """
    try:
        told: JsonValue = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Refusal(body[: 4 * _LONGEST].decode("utf-8", "replace").strip())
    if isinstance(told, list) and told:
        told = told[0]
    if not isinstance(told, dict):
        return Refusal()
    inner = told.get("error", told)
    if isinstance(inner, str):
        return Refusal(inner, _text(told.get("type")), _text(told.get("code")))
    if not isinstance(inner, dict):
        inner = told
    message = next((_text(inner[name]) for name in ("message", "detail", "msg", "error") if inner.get(name)), "")
    tokens, limit = inner.get("n_prompt_tokens"), inner.get("n_ctx")
    counts = Counts(tokens, limit) if isinstance(tokens, int) and isinstance(limit, int) else None
    return Refusal(message, _text(inner.get("type")), _text(inner.get("code")), _text(inner.get("param")), counts)


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def error_of(
    provider: str,
    status: int | None,
    refusal: Refusal,
    *,
    headers: Mapping[str, str] | None = None,
    where: str = "",
) -> ProviderError:
    """The error of a refusal.

    Args:
        provider: Whose.
        status: The status of the answer; None: it came within a stream.
        refusal: What its body says.
        headers: The headers of the answer, with names in lower case.
        where: What was asked for, to be told.

    Example:
        >>> type(error_of("openai", 429, Refusal("Slow down."), headers={"retry-after": "2"})).__name__
        'RateLimitError'
        >>> error_of("openai", 429, Refusal("No credit.", code="insufficient_quota")).retryable
        False
    """
    kind = _kind(status, refusal)
    counts = refusal.counts or counts_of(refusal.message)
    if kind is BadRequestError and counts is not None:
        kind = ContextLengthExceededError  # of some servers nothing else tells it
    headers = headers or {}
    # First sanitised: what stands between the characters of a key would hide it from the redactor.
    told = redactor.head(sanitize(refusal.message), _LONGEST)
    code = redactor.head(sanitize_line(refusal.code or refusal.kind).strip(), _LONGEST_CODE)
    status_text = f"status {status}" if status is not None else "an error in the stream"
    what = f"The provider {provider!r} answered with {status_text}{f' ({code})' if code else ''}"
    # What has to be sent in another way is not sent again, whatever the provider says.
    final = status is not None and 400 <= status < 500 and status not in _AGAIN  # noqa: PLR2004 - the ranges of HTTP
    said = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
    retry_after = retry_after_of(headers)
    error = kind(
        f"{what}{f' for {where}' if where else ''}",
        why=told,
        fix=_fix(kind, retry_after),
        provider=provider,
        retry_after=retry_after,
        retryable=False if final else said,
    )
    if isinstance(error, ContextLengthExceededError) and counts is not None:
        error.tokens, error.limit = counts
    if isinstance(error, ProviderTimeoutError):
        error.may_cost = False
    return error


def _fix(kind: Kind, retry_after: float | None) -> str:
    fix = next((fix for known, fix in _FIXES if issubclass(kind, known)), "Try again")
    return fix if not retry_after else fix.replace("Wait a moment", f"Wait {math.ceil(retry_after)} s")


def _kind(status: int | None, refusal: Refusal) -> Kind:
    for name in (refusal.code, refusal.kind):
        known = _CODES.get(name)
        if known is not None and name not in _VAGUE:
            # Too large for the rate of the account: waiting does not make it smaller, and another provider may take it.
            return ContextLengthExceededError if status == _TOO_LARGE and known is RateLimitError else known
    if status is None:
        return _CODES.get(refusal.code) or _CODES.get(refusal.kind) or ServerError
    known = _STATUSES.get(status)
    if known is not None:
        return known
    if 400 <= status < 500:  # noqa: PLR2004 - the ranges of HTTP
        return BadRequestError
    if 300 <= status < 400:  # noqa: PLR2004
        return ProviderConnectionError
    return ServerError


def retry_after_of(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait before another try; None: nothing is said that can be understood.

    Args:
        headers: Those of an answer, with names in lower case.
        now: Seconds since the epoch, for a header that has a date.

    Example:
        >>> retry_after_of({"retry-after-ms": "250"}), retry_after_of({"retry-after": "3"})
        (0.25, 3.0)
        >>> retry_after_of({"retry-after": "Sun, 06 Nov 1994 08:49:40 GMT"}, now=784111777.0)
        3.0
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("retry-after")
    seconds = _number(told)
    if seconds is not None or told is None:
        return seconds
    try:
        at = email.utils.parsedate_to_datetime(told)
        if at.tzinfo is None:  # all forms of a date in HTTP are in this zone, and one of them does not say so
            at = at.replace(tzinfo=UTC)
        wait = at.timestamp() - (time.time() if now is None else now)
    except (ValueError, OverflowError):
        return None
    return max(0.0, wait) if wait < _NEVER else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return value if 0 <= value < _NEVER else None  # and no number that is none
