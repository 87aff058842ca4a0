"""Known answers: for each number a piece of the documentation, with its Markdown, code and characters of all kinds."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

__all__ = ["pieces_of", "text_of"]

_DOCS = Path(__file__).resolve().parents[2] / "docs"


@cache
def _pages() -> tuple[str, ...]:
    return tuple(page.read_text(encoding="utf-8") for page in sorted(_DOCS.glob("*.md")))


def text_of(number: int, length: int = 1500) -> str:
    """The answer to a question, by its number; the same for who asks and who answers.

    Args:
        number: Which.
        length: Characters of it.
    """
    draw = random.Random(number)
    page = draw.choice([page for page in _pages() if len(page) > length])
    begin = draw.randrange(len(page) - length)
    return page[begin : begin + length].strip()


def pieces_of(text: str, seed: int) -> list[str]:
    """A text in pieces as models send them: a few characters each."""
    draw = random.Random(seed)
    pieces: list[str] = []
    while text:
        size = draw.choice((3, 5, 8, 13, 40))
        pieces.append(text[:size])
        text = text[size:]
    return pieces
