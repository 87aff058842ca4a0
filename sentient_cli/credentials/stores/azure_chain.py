"""Compare-and-set over versions that a service only adds: each names the one that it takes the place of.

The service knows no conditions, but gives each version a time, in whole seconds. Of those that name the same version
the earliest counts, and of the same second the one whose id comes first. Whether another one still comes before is only
known once that second is over: until then, and a margin more, a version is not settled, and nobody goes by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sentient_cli.credentials.stores.azure_wire import Versions, Written

__all__ = ["CHANGE", "GONE", "NOTHING", "REPLACES", "SETTLED", "STATE", "head_of", "in_doubt", "is_ours", "successor"]

REPLACES: Final = "replaces"
"""The tag that names the version before."""
NOTHING: Final = "nothing"
"""What the first version has there."""
STATE: Final = "state"
GONE: Final = "removed"
CHANGE: Final = "change"
"""The tag by which a change is known, also when it was sent twice."""
SETTLED: Final = 2
"""Seconds after which no version of an earlier second appears any more."""


def is_ours(version: Written) -> bool:
    """Whether a version has a place in the chain."""
    return REPLACES in version.tags and CHANGE in version.tags


def head_of(found: Versions) -> Written | None:
    """The version that counts now; None: there is none.

    Args:
        found: All versions.

    Example:
        >>> first = Written("b", 10, True, {"replaces": "nothing", "change": "1"})
        >>> late = Written("a", 11, True, {"replaces": "nothing", "change": "2"})
        >>> head_of(Versions(13, (late, first))).version
        'b'
        >>> head_of(Versions(11, (late, first))) is None
        True
    """
    left = [each for each in found.versions if each.created + SETTLED <= found.now]
    head: Written | None = None
    while after := successor(left, head.version if head is not None else NOTHING):
        head = after
        left.remove(after)  # a chain ends, whatever the service says
    return head


def successor(versions: Iterable[Written], place: str) -> Written | None:
    """Which of these versions takes the place of one.

    Args:
        versions: Those that are settled, or will be when this counts.
        place: The version before, or `NOTHING`.
    """
    after = [each for each in versions if is_ours(each) and each.tags[REPLACES] == place]
    return min(after, key=lambda each: (each.created, each.version), default=None)


def in_doubt(found: Versions, place: str) -> bool:
    """Whether somebody is about to take the place of a version.

    Args:
        found: All versions.
        place: That version, or `NOTHING`.
    """
    return successor((each for each in found.versions if each.created + SETTLED > found.now), place) is not None
