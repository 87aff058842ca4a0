"""The head of the answer to a message: whether a stream follows."""

from __future__ import annotations

from typing import Final

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.anthropic.meaning import meaning_of, read_told
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.refusals import check_answer

__all__ = ["check_stream"]

_LONGEST: Final = 256 * 1024


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
