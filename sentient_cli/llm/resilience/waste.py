"""What an attempt took that came to nothing, where the provider did not say."""

from __future__ import annotations

from sentient_cli.llm.parts import DocumentPart, ImagePart
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Usage

__all__ = ["tokens_in", "wasted_usage"]

CHARACTERS = 4
"""Characters of a token, about."""
IMAGE_TOKENS = 1000
"""Tokens of an image or of a page, about."""


def tokens_in(request: Request) -> int:
    """The tokens of a request, estimated.

    Example:
        >>> from sentient_cli.llm import Message
        >>> tokens_in(Request(model="m", messages=(Message.user("Twelve chars"),)))
        3
    """
    characters = media = 0
    for message in request.messages:
        characters += len(message.text) + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
        if not isinstance(message.content, str):
            media += sum(isinstance(part, ImagePart | DocumentPart) for part in message.content)
    return -(-characters // CHARACTERS) + IMAGE_TOKENS * media


def wasted_usage(request: Request, said: Usage | None, written: int = 0) -> Usage:
    """What a failed attempt took.

    Args:
        request: What was asked.
        said: What the provider said before it failed.
        written: The characters that it wrote.

    Example:
        >>> from sentient_cli.llm import Message
        >>> request = Request(model="m", messages=(Message.user("Twelve chars"),))
        >>> usage = wasted_usage(request, None, written=8)
        >>> usage.input, usage.output, usage.estimated
        (3, 2, True)
    """
    output = -(-written // CHARACTERS)
    if said is None or said.input is None:
        return Usage(tokens_in(request), 0, 0, output, 0, estimated=True)
    if said.output is not None and said.output >= output:
        return said
    return Usage(
        said.input,
        said.cache_read,
        said.cache_write,
        output,
        said.reasoning,
        estimated=True,
        cache_write_1h=said.cache_write_1h,
    )
