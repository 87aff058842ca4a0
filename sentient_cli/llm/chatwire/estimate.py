"""How many tokens a request may have, where nobody counts them for us."""

from __future__ import annotations

import msgspec

from sentient_cli.llm.parts import TextPart
from sentient_cli.llm.provider import Request, TokenCount

__all__ = ["estimated_tokens"]

_CHARACTERS = 4
"""Of a token of English; of other languages and of code a little fewer."""
_MESSAGE = 4
"""Tokens that go around each message."""
_MEDIA = 1000
"""Tokens that a picture or a page has, about."""


def estimated_tokens(request: Request) -> TokenCount:
    """About how many tokens a request has.

    Args:
        request: What is asked.

    Example:
        >>> from sentient_cli.llm.types import Message
        >>> estimated_tokens(Request(model="small", messages=(Message.user("How are you today?"),)))
        TokenCount(tokens=9, exact=False)
    """
    total = 0
    for message in request.messages:
        characters = len(message.text) + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
        media = 0 if isinstance(message.content, str) else sum(not isinstance(p, TextPart) for p in message.content)
        total += _MESSAGE + -(-characters // _CHARACTERS) + media * _MEDIA
    for tool in request.tools:
        total += len(msgspec.json.encode(tool)) // _CHARACTERS
    return TokenCount(total, exact=False)
