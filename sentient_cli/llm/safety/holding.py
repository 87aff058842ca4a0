"""The pieces of an answer that wait until filters have looked at what comes after them."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk

__all__ = ["Held"]

_KEPT: Final = 64


class Held:
    """Pieces in their order, and the text that they make with what was shown before.

    Args:
        context: Characters of what was shown that filters want to see again.
    """

    __slots__ = ("_context", "_pieces", "_shown", "text")

    def __init__(self, context: int) -> None:
        self._context = context
        self._pieces: deque[tuple[Chunk, int]] = deque()
        self._shown = 0
        self.text: str = ""
        """What filters look at."""

    @property
    def waiting(self) -> int:
        """Characters that wait."""
        return len(self.text) - self._shown

    def add(self, chunk: Chunk, text: str) -> None:
        """Let a piece wait, with its text."""
        self._pieces.append((chunk, len(text)))
        self.text += text

    def release(self, safe: int, *, cut: bool = False) -> list[Chunk]:
        """The pieces that lie within the first so many characters of the text.

        Args:
            safe: Characters of the text.
            cut: Whether the piece that lies there with a part only is given in part; nothing can be added then.
        """
        given: list[Chunk] = []
        while self._pieces and self._shown + self._pieces[0][1] <= safe:
            chunk, length = self._pieces.popleft()
            self._shown += length
            given.append(chunk)
        if cut and self._pieces and safe > self._shown:
            chunk, _ = self._pieces.popleft()
            given.append(_part(chunk, safe - self._shown))
        if self._shown > self._context + _KEPT:
            self._trim()
        return given

    def clear(self) -> None:
        """Forget everything: what comes next is another text."""
        self._pieces.clear()
        self._shown = 0
        self.text = ""

    def end(self, size: int) -> str:
        """The end of the text: so many characters, and the rest of the word that would be cut."""
        return self.text[_between(self.text, len(self.text) - size) :]

    def _trim(self) -> None:
        """Forget what was shown long ago."""
        cut = _between(self.text, self._shown - self._context)
        self.text = self.text[cut:]
        self._shown -= cut


def _between(text: str, at: int) -> int:
    """A place between two words, there or before."""
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_"):
        at -= 1
    return max(0, at)


def _part(chunk: Chunk, size: int) -> Chunk:
    """The first characters of a piece."""
    if chunk.text:
        return msgspec.structs.replace(chunk, text=chunk.text[:size])
    thinking = chunk.thinking
    return chunk if thinking is None else msgspec.structs.replace(chunk, thinking=ThinkingPart(thinking.text[:size]))
