"""How many connections there are to a provider, and for how long: by one of three profiles, and by what is set."""

from __future__ import annotations

from typing import Final

import msgspec

from sentient_cli.config.pools import Profile

__all__ = ["PROFILES", "Pooling"]


class Pooling(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The sizes and times of a pool.

    Args:
        max_connections: Connections that there are at most, used or not.
        max_idle: How many of them stay open while nobody uses them.
        keepalive: Seconds that one stays open that nobody uses.
        lifetime: Seconds after which one takes no new call: another is opened in its place.
        pool_timeout: Seconds that a call waits for a connection.

    Example:
        >>> PROFILES["bursty"].keepalive, PROFILES["streaming"].max_idle
        (300.0, 50)
    """

    max_connections: int
    max_idle: int
    keepalive: float
    lifetime: float
    pool_timeout: float


PROFILES: Final[dict[Profile, Pooling]] = {
    # About as many calls at any moment: what stands is soon used again. A peak leaves nothing after a minute, and
    # fewer unused ones are too few between the waves that calls come in, however steady they are.
    "steady": Pooling(max_connections=1000, max_idle=400, keepalive=60.0, lifetime=1800.0, pool_timeout=10.0),
    # Many at once, then none for minutes: all that a burst has opened is there for the next one.
    "bursty": Pooling(max_connections=1000, max_idle=1000, keepalive=300.0, lifetime=1800.0, pool_timeout=30.0),
    # Answers of minutes: almost every call opens one. Who waits for a free one waits in vain, so it is said soon.
    "streaming": Pooling(max_connections=4000, max_idle=50, keepalive=30.0, lifetime=600.0, pool_timeout=2.0),
}
"""By name; ``steady`` is what holds unless another is named."""
