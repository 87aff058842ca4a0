"""How many tokens a request has: counted by a provider, estimated, or bounded."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, ThinkingPart
from sentient_cli.llm.provider import Request, TokenCount
from sentient_cli.llm.tokens import estimated_tokens

__all__ = ["Estimate", "TokenCounter", "most_tokens"]

_ROOM: Final = 16
"""Tokens that no provider exceeds for what stands around a message."""


class TokenCounter(Protocol):
    """Counts the tokens of a request: every provider does.

    Example:
        >>> from sentient_cli.llm import OfflineProvider
        >>> counter: TokenCounter = OfflineProvider()
    """

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request. More messages never have fewer.

        Raises:
            ProviderError: they cannot be counted.
        """
        ...


class Estimate:
    """Counts without asking anybody: four bytes of text for a token.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import Message
        >>> request = Request(model="m", messages=(Message.user("How are you today?"),))
        >>> asyncio.run(Estimate().count_tokens(request))
        TokenCount(tokens=9, exact=False)
    """

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request, roughly."""
        return estimated_tokens(request)


def most_tokens(request: Request) -> int | None:
    """So many tokens a request has at most, since each has a byte at least; None: it has parts that are no text.

    Example:
        >>> from sentient_cli.llm import Message
        >>> most_tokens(Request(model="m", messages=(Message.user("Hello"),)))
        21
    """
    total = sum(len(msgspec.json.encode(tool)) + _ROOM for tool in request.tools)
    for message in request.messages:
        total += _ROOM
        for part in message.parts:
            if isinstance(part, ImagePart | AudioPart | DocumentPart):
                return None
            total += len(part.text.encode("utf-8", "surrogatepass"))
            if isinstance(part, ThinkingPart):
                total += len(part.signature) + len(part.redacted)
        for call in message.tool_calls:
            total += _ROOM + len(call.name.encode()) + len(call.arguments.encode("utf-8", "surrogatepass"))
    return total
