"""How many tokens a request has: counted by a provider, estimated, or bounded."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart, ThinkingPart
from sentient_cli.llm.provider import Request, TokenCount
from sentient_cli.llm.types import Message

__all__ = ["Estimate", "TokenCounter", "most_tokens"]

_MESSAGE: Final = 4
_IMAGE: Final = 1600
_ASCII: Final = 4
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
    """Counts without asking anybody: four characters a token, or one where they are not of the Latin alphabet.

    Example:
        >>> import asyncio
        >>> request = Request(model="m", messages=(Message.user("How are you today?"),))
        >>> asyncio.run(Estimate().count_tokens(request))
        TokenCount(tokens=9, exact=False)
    """

    async def count_tokens(self, request: Request) -> TokenCount:
        """The tokens of a request, roughly."""
        tools = sum(len(msgspec.json.encode(tool)) for tool in request.tools) // _ASCII
        return TokenCount(tools + sum(_estimated(message) for message in request.messages), exact=False)


def _estimated(message: Message) -> int:
    calls = sum(_of_text(call.name) + _of_text(call.arguments) for call in message.tool_calls)
    total = _MESSAGE + calls
    for part in message.parts:
        if isinstance(part, TextPart | ThinkingPart):
            total += _of_text(part.text)
        elif isinstance(part, ImagePart):
            total += _IMAGE
        else:
            total += len(part.data) // _ASCII
    return total


def _of_text(text: str) -> int:
    if text.isascii():
        return -(-len(text) // _ASCII)
    plain = len(text.encode("ascii", "ignore"))
    return -(-plain // _ASCII) + len(text) - plain


def most_tokens(request: Request) -> int | None:
    """So many tokens a request has at most, since each has a byte at least; None: it has parts that are no text.

    Example:
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
