"""Answers that are not what was asked for, as errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sentient_cli.errors import ProviderConnectionError, ProviderError
from sentient_cli.llm.wire.failures import error_of, read_refusal
from sentient_cli.llm.wire.reading import Incoming

__all__ = ["check_answer", "refusal_in", "refusal_of"]

_OK: Final = range(200, 300)
_ELSEWHERE: Final = range(300, 400)
_LONGEST: Final = 1024 * 1024
"""Bytes of a refusal: some repeat all that was asked."""
_PAGES: Final = ("text/html", "application/xml", "text/xml", "application/xhtml")


def refusal_of(provider: str, status: int, headers: Mapping[str, str], body: bytes, where: str = "") -> ProviderError:
    """The error of an answer that was read as a whole.

    Args:
        provider: Whose.
        status: The status, which is not one of success.
        headers: With names in lower case.
        body: What it carries.
        where: What was asked for, to be told.
    """
    failure = error_of(provider, status, read_refusal(body), headers=headers, where=where)
    if status in _ELSEWHERE:
        failure.why = "It wants to be asked elsewhere, and what is asked is not sent on"
        failure.fix = "Set its `base_url` to where it is now"
        failure.retryable = False
    return failure


async def refusal_in(incoming: Incoming) -> bytes | None:
    """What an answer carries whose status is not one of success; None: it is one of success.

    Args:
        incoming: The answer; it is not closed.
    """
    if incoming.status in _OK:
        return None
    try:
        return await incoming.read(_LONGEST)
    except ProviderError:
        return b""  # the status says enough


async def check_answer(provider: str, incoming: Incoming, where: str = "") -> bool:
    """Look at the head of an answer; whether it is a stream, and not JSON as a whole.

    Args:
        provider: Whose.
        incoming: The answer.
        where: What was asked for, to be told.

    Raises:
        ProviderError: it is a refusal, or a page for people.
    """
    told = await refusal_in(incoming)
    if told is not None:
        raise refusal_of(provider, incoming.status, incoming.headers, told, where)
    kind = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith(_PAGES):
        raise ProviderConnectionError(
            f"The provider {provider!r} answers with a page for people",
            why=f"Its content type is {kind!r:.60}",
            fix="Check its `base_url`: most end in `/v1`",
            provider=provider,
        )
    return not kind.endswith("json") or "ndjson" in kind
