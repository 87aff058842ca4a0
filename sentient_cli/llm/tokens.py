"""How many tokens something has, about, where nobody counted them: the one place that estimates.

A token is taken for four bytes of text, which is close for English, for code, and for scripts that take more bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sentient_cli.llm.parts import AudioPart, DocumentPart, ImagePart, TextPart, ThinkingPart
from sentient_cli.llm.provider import Request, TokenCount
from sentient_cli.llm.types import Chunk, Message

__all__ = [
    "BYTES",
    "USUAL_OUTPUT",
    "estimated_tokens",
    "expected_tokens",
    "size_of",
    "tokens_in",
    "tokens_of",
    "written_in",
]

BYTES: Final = 4
"""Bytes of a token."""
USUAL_OUTPUT: Final = 512
"""Tokens of an answer of which nothing is known."""
_MESSAGE: Final = 4
"""Tokens around each message."""
_IMAGE: Final = 1600
"""Tokens of a picture; vendors make larger ones smaller first."""
_PAGE: Final = 2000
"""Tokens of a page, as text and picture."""
_PAGE_BYTES: Final = 8000
"""Bytes of a page in a document that is no plain text."""
_SOUND: Final = 800
"""Bytes of sound for a token: 20 a second, as telephones have it."""


def size_of(text: str) -> int:
    """The bytes of a text in UTF-8.

    Example:
        >>> size_of("Hello"), size_of("漢字")
        (5, 6)
    """
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def tokens_in(size: int) -> int:
    """The tokens of so many bytes of text.

    Example:
        >>> tokens_in(0), tokens_in(5)
        (0, 2)
    """
    return -(-size // BYTES)


def written_in(chunk: Chunk) -> int:
    """The bytes of a piece of an answer that are paid for as output: text, thoughts, calls of tools, refusals.

    Example:
        >>> written_in(Chunk("Hello")), written_in(Chunk(finish_reason="stop"))
        (5, 0)
    """
    size = size_of(chunk.text) if chunk.text else 0
    if chunk.tool_call is not None:
        size += size_of(chunk.tool_call.arguments) + size_of(chunk.tool_call.name or "")
    if chunk.thinking is not None:
        size += size_of(chunk.thinking.text)
    return size + size_of(chunk.refusal) if chunk.refusal else size


def tokens_of(request: Request) -> int:
    """The tokens of a request with all that is sent with it; at least 1. More messages never have fewer.

    Example:
        >>> tokens_of(Request(model="m", messages=(Message.user("a" * 400),)))
        104
    """
    total = sum(map(_of_message, request.messages))
    for tool in request.tools:
        total += tokens_in(len(msgspec.json.encode(tool)))
    if request.output is not None:
        total += tokens_in(len(msgspec.json.encode(request.output.schema)))
    return max(1, total)


def estimated_tokens(request: Request) -> TokenCount:
    """The same, as a provider tells it.

    Example:
        >>> estimated_tokens(Request(model="small", messages=(Message.user("How are you today?"),)))
        TokenCount(tokens=9, exact=False)
    """
    return TokenCount(tokens_of(request), exact=False)


def expected_tokens(request: Request) -> int:
    """The tokens of a request and, about, of its answer: what providers take from a limit when they get it.

    Example:
        >>> expected_tokens(Request(model="small", messages=(Message.user("How are you today?"),)))
        521
    """
    return tokens_of(request) + min(request.parameters.max_tokens or USUAL_OUTPUT, USUAL_OUTPUT)


def _of_message(message: Message) -> int:
    content = message.content
    total = _MESSAGE
    if isinstance(content, str):
        total += tokens_in(size_of(content))
    else:
        for part in content:
            total += _of_part(part)
    for call in message.tool_calls:
        total += tokens_in(size_of(call.name)) + tokens_in(size_of(call.arguments))
    return total


def _of_part(part: TextPart | ThinkingPart | ImagePart | AudioPart | DocumentPart) -> int:
    if isinstance(part, TextPart | ThinkingPart):
        return tokens_in(size_of(part.text))
    if isinstance(part, ImagePart):
        return _IMAGE
    if isinstance(part, AudioPart):
        return -(-len(part.data) // _SOUND)
    if part.media_type.startswith("text/"):
        return tokens_in(len(part.data))
    return _PAGE * max(1, -(-len(part.data) // _PAGE_BYTES))
