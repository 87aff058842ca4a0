"""How many files and connections this process may have open."""

from __future__ import annotations

import contextlib
from typing import Final

__all__ = ["descriptor_limit", "raise_descriptor_limit"]

_UNKNOWN: Final = 512
"""What Windows allows a program at least."""
_MANY: Final = 1024 * 1024


def descriptor_limit() -> int:
    """How many descriptors this process may have.

    Example:
        >>> descriptor_limit() > 0
        True
    """
    try:
        import resource  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return _UNKNOWN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else _MANY


def raise_descriptor_limit() -> None:
    """Each connection is a descriptor, and many systems allow a process 1024 of them unless it asks for more."""
    try:
        import resource  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
