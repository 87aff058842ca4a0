"""The beginning of an answer, told once more: what is too short to be put to another text by its end."""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST", "Replay"]

LONGEST: Final = 240
"""Characters of a beginning that are asked for once more; of a longer one too much would be paid twice."""


class Replay:
    """Reads an answer to the same question until it has repeated what was there, to the character.

    What it gives then is the rest of an answer whose beginning is there already: it joins by definition. An answer that
    begins in another way is refused with its first other character.

    Args:
        partial: The text so far.

    Example:
        >>> replay = Replay("It is ")
        >>> [replay.feed(text) for text in ("It", " is four", ".")]
        ['', 'four', '.']
        >>> replay = Replay("It is ")
        >>> replay.feed("Four."), replay.is_refused
        ('', True)
    """

    __slots__ = ("_left", "cut", "is_done", "is_refused", "read")

    def __init__(self, partial: str) -> None:
        self._left = partial
        self.cut: int | None = None
        """How many characters of the new text were cut off; None: it is not clear yet that they can be."""
        self.read: int = 0
        """How many characters were read."""
        self.is_done: bool = False
        self.is_refused: bool = False
        """Whether the answer is another one."""

    def feed(self, text: str) -> str:
        """Take the next of the new text and give what of it goes on."""
        if self.is_done or self.is_refused:
            return text if self.is_done else ""
        size = min(len(text), len(self._left))
        self.read += size
        if text[:size] != self._left[:size]:
            self.is_refused = True
            return ""
        self._left = self._left[size:]
        if self._left:
            return ""
        self.is_done, self.cut = True, self.read
        return text[size:]

    def finish(self) -> str | None:
        """The new text is at its end: what is left of it; None: it is not as long as what was there."""
        return "" if self.is_done else None
