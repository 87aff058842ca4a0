"""How many tokens a request has, about: four characters each, and so many for a picture."""

from __future__ import annotations

from typing import Final

import msgspec

from sentient_cli.llm.parts import TextPart
from sentient_cli.llm.provider import Request

__all__ = ["tokens_of"]

_CHARACTERS: Final = 4
_MEDIA: Final = 1_000
"""Tokens of an image, a document or a recording, about."""
_MESSAGE: Final = 4
"""Tokens that each message takes beside its text."""


def tokens_of(request: Request) -> int:
    """The tokens of a request, its tools included; at least 1.

    Example:
        >>> from sentient_cli.llm import Message
        >>> tokens_of(Request(model="m", messages=(Message.user("a" * 400),)))
        104
    """
    characters = media = 0
    for message in request.messages:
        if isinstance(message.content, str):
            characters += len(message.content)
        else:
            for part in message.content:
                if isinstance(part, TextPart):
                    characters += len(part.text)
                else:
                    media += 1
        for call in message.tool_calls:
            characters += len(call.name) + len(call.arguments)
    for tool in request.tools:
        characters += len(tool.name) + len(tool.description) + len(msgspec.json.encode(tool.parameters))
    if request.output is not None:
        characters += len(msgspec.json.encode(request.output.schema))
    return max(1, -(-characters // _CHARACTERS) + media * _MEDIA + _MESSAGE * len(request.messages))
