"""Holds an answer back until its first content: up to there another attempt can take its place unseen."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec

from sentient_cli.errors import ProviderError
from sentient_cli.llm.assembly import truncated
from sentient_cli.llm.call import Call
from sentient_cli.llm.types import Chunk, Usage

__all__ = ["NOTICES", "Gate", "is_content"]

MOST_HELD = 256
"""Pieces without content that are held back; nobody sends that many."""
NOTICES = "notices"
"""The key in ``Chunk.extra`` under which a provider says what it did not ask as it was wanted."""


def is_content(chunk: Chunk) -> bool:
    """Whether a reader would see something of a piece, or it is the last one.

    Example:
        >>> is_content(Chunk(model="large-2026")), is_content(Chunk("Hel"))
        (False, True)
    """
    return bool(
        chunk.text
        or chunk.tool_call is not None
        or chunk.finish_reason is not None
        or chunk.thinking is not None
        or chunk.refusal
    )


class Gate:
    """What an attempt gave so far: all of it before its first content, and then whether it is complete.

    Args:
        call: Is told what providers have to say about it.
    """

    __slots__ = ("_call", "held", "is_finished", "is_open", "late")

    def __init__(self, call: Call) -> None:
        self._call = call
        self.held: list[Chunk] = []
        """What came up to the first content, and that."""
        self.late: list[Chunk] = []
        """What came after the end, or was there already when the time was over."""
        self.is_open: bool = False
        """Whether there was content."""
        self.is_finished: bool = False
        """Whether the terminal marker was there: whatever comes now, nothing is missing."""

    async def wait(self, source: AsyncGenerator[Chunk, None], provider: str) -> None:
        """Read up to the first content.

        Raises:
            ProviderConnectionError: there was none.
            ProviderError: the attempt failed.
        """
        async for chunk in source:
            self.held.append(self.seen(chunk))
            if is_content(chunk) or len(self.held) >= MOST_HELD:
                self.is_open = True
                return
        raise truncated(provider, "")

    def seen(self, chunk: Chunk) -> Chunk:
        """Look at a piece that may be more than text, and give what of it goes on."""
        if chunk.finish_reason is not None:
            self.is_finished = True
        extra = chunk.extra
        if extra is None or NOTICES not in extra:
            return chunk
        told = extra[NOTICES]
        for notice in told if isinstance(told, list) else (told,):
            self._call.note(str(notice))
        rest = {name: value for name, value in extra.items() if name != NOTICES}
        return msgspec.structs.replace(chunk, extra=rest or None)

    def fail(self, error: ProviderError | None) -> None:
        """Raise an error, if there is one, unless nothing is missing.

        Raises:
            ProviderError: this one.
        """
        if error is not None and not self.is_finished:
            raise error

    def end(self, provider: str) -> None:
        """There is nothing more.

        Raises:
            ProviderConnectionError: something is missing.
        """
        if not self.is_finished:
            raise truncated(provider, "")

    @property
    def usage(self) -> Usage | None:
        """The tokens that the provider spoke of already."""
        return next((chunk.usage for chunk in reversed(self.held) if chunk.usage is not None), None)
