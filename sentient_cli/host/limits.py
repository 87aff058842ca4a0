"""The bounds of a host."""

from __future__ import annotations

from dataclasses import dataclass, field

from sentient_cli.host.retention import KeepLimits
from sentient_cli.runtime.log import LogLimits
from sentient_cli.runtime.run import RunLimits

__all__ = ["HostLimits"]


@dataclass(frozen=True, slots=True)
class HostLimits:
    """The bounds of a host.

    Args:
        run: Of each run.
        log: Of each live log.
        keep: Of the finished runs that are kept.
        stored: Of the finished runs that a store on disk keeps.
        sessions: Of the sessions that are remembered, wherever they are kept.
        runs: How many runs may go on at once.

    Example:
        >>> limits = HostLimits(run=RunLimits(deadline=30.0), runs=100)
        >>> limits.run.deadline, limits.keep == KeepLimits()
        (30.0, True)
    """

    run: RunLimits = field(default_factory=RunLimits)
    log: LogLimits = field(default_factory=LogLimits)
    keep: KeepLimits = field(default_factory=KeepLimits)
    stored: KeepLimits = field(default_factory=lambda: KeepLimits(10_000, 30 * 24 * 3600.0, 1024**3))
    sessions: KeepLimits = field(default_factory=lambda: KeepLimits(10_000, 30 * 24 * 3600.0, 256 * 1024**2))
    runs: int = 4000
