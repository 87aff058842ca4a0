"""Who gets which variant: a stable hash decides, so nothing is stored, and every process comes to the same.

Each variant of an experiment draws a number for a unit, and the least number, measured by the weights, wins (weighted
rendezvous hashing). A change of one weight moves only units to or from its variant, and no more of them than it must.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b

__all__ = ["assigned", "drawn", "unit_key"]


def _digest(size: int, *parts: str) -> bytes:
    # A zero byte stands in no name, so that no two lists of parts are the same text.
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=size).digest()


def drawn(*parts: str) -> float:
    """A number above 0 and below 1 that depends on some texts alone, and looks random.

    Args:
        parts: The texts, such as the name of an experiment and a unit.

    Example:
        >>> drawn("tone", "a session") == drawn("tone", "a session") != drawn("length", "a session")
        True
    """
    number = int.from_bytes(_digest(8, *parts), "big") >> 11  # as many bits as a number can tell apart
    return (number + 0.5) * 2.0**-53


def unit_key(experiment: str, unit: str) -> str:
    """What stands for a unit where results are kept: it does not tell who it is.

    Args:
        experiment: The name of the experiment.
        unit: The session or the user.

    Example:
        >>> len(unit_key("tone", "a session")), unit_key("tone", "a session") == unit_key("length", "a session")
        (16, False)
    """
    return _digest(8, experiment, "unit", unit).hex()


def assigned(experiment: str, unit: str, weights: Mapping[str, float], share: float = 1.0) -> str | None:
    """The variant of a unit; None: it takes no part.

    Args:
        experiment: The name of the experiment; those of two experiments have nothing to do with each other.
        unit: The session or the user.
        weights: Those of the variants, by name. Their order does not matter.
        share: The part of all units that takes part, from 0 to 1. With a larger one those that took part still do.

    Example:
        >>> assigned("tone", "a session", {"control": 1, "warm": 0})
        'control'
        >>> assigned("tone", "a session", {"control": 1, "warm": 1}, share=0) is None
        True
    """
    if drawn(experiment, "share", unit) >= share:
        return None
    best, least = None, math.inf
    for variant in sorted(weights):
        if (weight := weights[variant]) > 0:
            waited = -math.log(drawn(experiment, "variant", variant, unit)) / weight
            if waited < least:
                best, least = variant, waited
    return best
