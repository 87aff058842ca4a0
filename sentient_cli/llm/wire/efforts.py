"""How long a model shall think, as near to what is wanted as it can be told."""

from __future__ import annotations

from typing import Final

from sentient_cli.llm.parameters import Effort

__all__ = ["listed_efforts", "nearest_effort"]

_EFFORTS: Final[tuple[Effort, ...]] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def nearest_effort(wanted: Effort, known: tuple[Effort, ...]) -> Effort:
    """The one of some efforts that is next to what is wanted; of two the one that is named first.

    Args:
        wanted: What is wanted.
        known: What there is.

    Example:
        >>> nearest_effort("none", ("minimal", "low")), nearest_effort("medium", ("high", "low"))
        ('minimal', 'high')
    """
    place = _EFFORTS.index(wanted)
    return min(known, key=lambda each: abs(_EFFORTS.index(each) - place))


def listed_efforts(efforts: tuple[Effort, ...]) -> str:
    """Efforts for a reader, from the least to the most.

    Example:
        >>> listed_efforts(("high", "low"))
        'low, high'
    """
    return ", ".join(sorted(efforts, key=_EFFORTS.index))
