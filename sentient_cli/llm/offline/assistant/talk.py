"""A conversation as the assistant's skills see it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

from sentient_cli.llm.types import Message

__all__ = ["Talk", "excerpt"]

# Skills search with regular expressions; a prompt of any length must not stall the loop.
MAX_LOOKED_AT = 20_000


class Talk:
    """A conversation, and what a skill may use to answer it.

    Args:
        messages: The conversation, the last one to be answered.
        seed: Chooses among variants.
        now_ns: The moment, in nanoseconds since the epoch.

    Example:
        >>> talk = Talk([Message.user("My name is Ann"), Message.user("Who am I?")], seed=0, now_ns=0)
        >>> talk.prompt, talk.earlier
        ('Who am I?', ['My name is Ann'])
    """

    def __init__(self, messages: Sequence[Message], seed: int, now_ns: int) -> None:
        self._messages = messages
        self._seed = seed
        self._now_ns = now_ns
        self.prompt: str = messages[-1].text[:MAX_LOOKED_AT].strip()

    def within(self, limit: int) -> bool:
        """Whether the prompt has at most ``limit`` characters: longer ones are texts, not questions."""
        return len(self.prompt) <= limit

    @property
    def earlier(self) -> list[str]:
        """What the user said before, oldest first."""
        return [message.text[:MAX_LOOKED_AT].strip() for message in self._messages[:-1] if message.role == "user"]

    @property
    def last_answer(self) -> str:
        """What the assistant said last, or nothing."""
        said = (message.text for message in reversed(self._messages[:-1]) if message.role == "assistant")
        return next(said, "")[:MAX_LOOKED_AT].strip()

    @property
    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.fromtimestamp(self._now_ns / 1e9, UTC)

    def pick(self, variants: Sequence[str]) -> str:
        """One of the variants, always the same for the same prompt, place in the conversation, and seed."""
        key = f"{self._seed}\0{len(self._messages)}\0{self.prompt}".encode("utf-8", "replace")
        return variants[zlib.crc32(key) % len(variants)]


def excerpt(text: str, limit: int = 120) -> str:
    r"""The beginning of a text in one line.

    Example:
        >>> excerpt("one\n two three", 9)
        'one two…'
    """
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
