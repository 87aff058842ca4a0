"""Whether Anthropic answers, and what its refusals mean, where its types of errors say less than there is to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from sentient_cli.errors import ProviderConnectionError, ProviderError
from sentient_cli.llm.wire.failures import Refusal, error_of, read_refusal
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.refusals import check_answer

__all__ = ["check_stream", "meaning_of", "read_told"]

_LONGEST: Final = 256 * 1024

_SPENT: Final = frozenset(
    {
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
        "organization_on_hold",
    }
)


class _Details(msgspec.Struct, frozen=True, gc=False):
    error_code: str | None = None


class _Error(msgspec.Struct, frozen=True, gc=False):
    details: _Details | None = None


class _Body(msgspec.Struct, frozen=True, gc=False):
    error: _Error | None = None


def read_told(body: bytes) -> Refusal:
    """What the body of a refusal says, with the code that Anthropic keeps among the details.

    Example:
        >>> read_told(b'{"error":{"type":"permission_error","message":"No","details":{"error_code":"held"}}}').code
        'held'
    """
    refusal = read_refusal(body)
    try:
        told = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return refusal
    code = told.error.details.error_code if told.error is not None and told.error.details is not None else None
    return msgspec.structs.replace(refusal, code=code) if code else refusal


def meaning_of(
    provider: str, status: int | None, refusal: Refusal, headers: Mapping[str, str] | None = None
) -> ProviderError:
    """The error of a refusal.

    Args:
        provider: Whose.
        status: The status of the answer; None: it came within a stream.
        refusal: What its body says.
        headers: Of the answer, with names in lower case.

    Example:
        >>> type(meaning_of("anthropic", 529, Refusal("Busy", "overloaded_error"))).__name__
        'ServerError'
    """
    if refusal.code in _SPENT:
        refusal = msgspec.structs.replace(refusal, kind="billing_error")
    return error_of(provider, status, refusal, headers=headers)


async def check_stream(incoming: Incoming, provider: str, where: str) -> None:
    """Find out whether a stream follows.

    Args:
        incoming: The answer.
        provider: Whose.
        where: What was asked for, to be told.

    Raises:
        ProviderError: something else does.
    """
    if await check_answer(provider, incoming, where):
        return
    refusal = read_told(await incoming.read(_LONGEST))
    if refusal.kind or refusal.code:
        raise meaning_of(provider, None, refusal)
    raise ProviderConnectionError(
        f"The provider {provider!r} did not answer with a stream",
        why="Its answer is JSON as a whole",
        fix="Check its `base_url`",
        provider=provider,
        retryable=False,
    )
