"""The pieces of an answer that wait until filters have looked at what comes after them."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.types import Chunk

__all__ = ["Held"]

_KEPT: Final = 64
_LONGEST: Final = 256
"""Characters of a word that are looked back over: a text without spaces would be read anew for each piece of it."""


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

    def clear(self, before: str = "") -> None:
        """Forget everything: what comes next is another text.

        Args:
            before: What was shown of that one.
        """
        self._pieces.clear()
        self._shown = len(before)
        self.text = before

    def end(self, size: int) -> str:
        """The end of the text: so many characters, and the rest of the word that would be cut.

        Where that is not the whole, the word before it is there too: what looks for a beginning finds none.
        """
        return self.text[_before(self.text, len(self.text) - size) :]

    def shown(self) -> str:
        """The end of what was shown, as much as filters want to see again."""
        return self.text[_before(self.text, self._shown - self._context) : self._shown]

    def _trim(self) -> None:
        """Forget what was shown long ago."""
        cut = _before(self.text, _before(self.text, self._shown - self._context))
        self.text = self.text[cut:]
        self._shown -= cut


def _between(text: str, at: int) -> int:
    """A place between two words, there or before; of a word without end, a place in it."""
    least = max(0, at - _LONGEST)
    while at > least and (text[at - 1].isalnum() or text[at - 1] == "_"):
        at -= 1
    return max(0, at)


def _before(text: str, at: int) -> int:
    """The same a word before that, with what stands before the word; the beginning of the text where that is near."""
    at = _between(text, at)
    if at <= 1:
        return 0
    return max(0, _between(text, at - 1) - 1)


def _part(chunk: Chunk, size: int) -> Chunk:
    """The first characters of a piece."""
    if chunk.text:
        return msgspec.structs.replace(chunk, text=chunk.text[:size])
    thinking = chunk.thinking
    return chunk if thinking is None else msgspec.structs.replace(chunk, thinking=ThinkingPart(thinking.text[:size]))
