"""The import of an SDK, which takes seconds: in a thread, and never longer than the call that needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["load"]


async def load(preload: Callable[[], None]) -> None:
    """Import in a thread, so that other calls go on.

    An import cannot be broken off. A call that is cancelled meanwhile ends when the import does: so no thread outlives
    it, and no half of a library is left to the next call. Cancelled once more, it ends at once.

    Args:
        preload: Does the imports.

    Raises:
        ImportError: what they raise.

    Example:
        >>> asyncio.run(load(lambda: print("Loaded")))
        Loaded
    """
    loading = asyncio.ensure_future(asyncio.to_thread(preload))
    try:
        await asyncio.shield(loading)
    except asyncio.CancelledError:
        await asyncio.wait([loading])
        if not loading.cancelled():
            loading.exception()  # is of no interest any more
        raise
