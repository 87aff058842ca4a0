"""What goes wrong when a model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sentient_cli.errors.base import SentientError, Told, faults_told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

__all__ = [
    "AnswerRestartedError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "CircuitOpenError",
    "ContentFilterError",
    "ContextLengthExceededError",
    "ModelNotFoundError",
    "OutputError",
    "PermissionDeniedError",
    "PoolExhaustedError",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "QuotaError",
    "RateLimitError",
    "ServerError",
]


class _ToldOfProvider(Told, total=False):
    provider: str
    partial_text: str
    retry_after: float | None
    retryable: bool | None


class ProviderError(SentientError, code="provider", exit_code=4):
    """An LLM provider failed.

    Args:
        what: What happened.
        why: The reason, when it is known.
        fix: What the reader can do.
        detail: Longer material.
        provider: The id of the provider, such as ``"offline"``.
        partial_text: The text received before the failure, when a stream broke.
        retry_after: Seconds to wait before another try, when the provider said so.
        retryable: Whether the same request can succeed when sent again.
    """

    _retryable: ClassVar[bool] = False

    def __init_subclass__(
        cls, *, code: str | None = None, exit_code: int | None = None, retryable: bool | None = None
    ) -> None:
        super().__init_subclass__(code=code, exit_code=exit_code)
        if retryable is not None:
            cls._retryable = retryable

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        detail: str = "",
        provider: str = "",
        partial_text: str = "",
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(what, why=why, fix=fix, detail=detail)
        self.provider = provider
        self.partial_text = partial_text
        self.retry_after = retry_after
        self.retryable: bool = self._retryable if retryable is None else retryable


class ProviderConnectionError(ProviderError, code="provider-connection", retryable=True):
    """The provider could not be reached, or the connection broke."""


class ProviderTimeoutError(ProviderError, code="provider-timeout", retryable=True):
    """The provider did not answer in time.

    ``may_cost`` is false where it was not reached, or said so itself: else it may have been at work, which is paid for.
    ``is_of_call`` is true where the call itself had no more time, which says nothing of the provider.
    """

    may_cost: bool = True
    is_of_call: bool = False


class PoolExhaustedError(ProviderError, code="pool-exhausted", retryable=True):
    """All connections to the provider that there may be were in use for too long; it was not asked."""


class AuthenticationError(ProviderError, code="authentication", exit_code=3):
    """The provider refused the credential."""


class PermissionDeniedError(ProviderError, code="permission-denied", exit_code=3):
    """The credential is valid but may not do this."""


class RateLimitError(ProviderError, code="rate-limit", retryable=True):
    """The provider asks for fewer requests; ``retry_after`` says when to come back.

    ``nothing_sent`` is true where it was not asked at all, since a limit that is kept here is reached.
    """

    nothing_sent: bool = False


class QuotaError(ProviderError, code="quota"):
    """The account has no budget left; waiting does not help."""


class BudgetExceededError(ProviderError, code="budget-exceeded"):
    """A call would cost more than is allowed for it, its session, the day or the profile: it was not sent."""


class ServerError(ProviderError, code="provider-server", retryable=True):
    """The provider failed on its side (5xx)."""


class BadRequestError(ProviderError, code="bad-request"):
    """The provider does not accept the request as it is."""


class ContextLengthExceededError(BadRequestError, code="context-length"):
    """The request is longer than the model's context.

    Args:
        what: What happened.
        tokens: How many tokens were asked for, where the provider told it.
        limit: How many it takes, where the provider told it.
        told: All that `ProviderError` takes.

    Example:
        >>> error = ContextLengthExceededError("The prompt is too long", tokens=205_000, limit=200_000)
        >>> error.tokens, error.limit
        (205000, 200000)
    """

    def __init__(
        self,
        what: str,
        *,
        tokens: int | None = None,
        limit: int | None = None,
        **told: Unpack[_ToldOfProvider],
    ) -> None:
        super().__init__(what, **told)
        self.tokens = tokens
        self.limit = limit


class ModelNotFoundError(BadRequestError, code="model-not-found"):
    """The provider has no such model, or does not let this account use it."""


class ContentFilterError(ProviderError, code="content-filter"):
    """The provider filtered the request or the answer."""


class CircuitOpenError(ProviderError, code="circuit-open"):
    """The provider failed too often a moment ago and is not called for now."""


class AnswerRestartedError(ProviderError, code="answer-restarted"):
    """An answer that was read as text begins anew: what was read is void. Read on, and the new one comes."""


class OutputError(ProviderError, code="output", retryable=True):
    """A model's answer is not what was asked for; ``partial_text`` is the answer.

    Args:
        what: What happened.
        faults: What is wrong, by the path of each place, such as ``days[0].high``; a path may be empty.
        why: The reason; that of the faults unless given.
        fix: What the reader can do.
        provider: The id of the provider.
        partial_text: The answer.
    """

    def __init__(
        self,
        what: str,
        *,
        faults: Mapping[str, str] | None = None,
        why: str = "",
        fix: str = "",
        provider: str = "",
        partial_text: str = "",
    ) -> None:
        self.faults: dict[str, str] = dict(faults or {})
        super().__init__(
            what, why=why or faults_told(self.faults), fix=fix, provider=provider, partial_text=partial_text
        )
