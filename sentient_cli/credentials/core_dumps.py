"""No picture of this process on disk while it holds a key."""

from __future__ import annotations

import sys

__all__ = ["forbid_core_dumps"]


def forbid_core_dumps() -> bool:
    """Have the system write no core dump of this process, nor of those that it starts. Whether it could be had."""
    if sys.platform == "win32":  # pragma: no cover - another operating system, which has none
        return False
    import resource  # noqa: PLC0415 - of Unix alone

    try:
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    except (OSError, ValueError):
        return False
    return True
