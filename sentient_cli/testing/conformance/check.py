"""What the checks of all protocols have in common: one promise, tried on one subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from typing_extensions import override

__all__ = ["Check"]

S = TypeVar("S")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Check(Generic[S, R]):
    """A promise, and what it is tried on. The first line of its docstring says what is promised."""

    _promise: Callable[[S], R]
    _subject: S

    @property
    def name(self) -> str:
        """A name for reports, such as ``keeps_a_text``."""
        return self._promise.__name__

    @property
    def promise(self) -> str:
        """What is promised, in one sentence."""
        return (self._promise.__doc__ or "").partition("\n")[0]

    @override
    def __str__(self) -> str:
        return self.name
