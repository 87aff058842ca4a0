"""Rotations that other processes make, seen by a server: by a look at one small file every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from sentient_cli.credentials.catalogue import Catalogue
from sentient_cli.credentials.health import warnings_of
from sentient_cli.credentials.watch import Watch
from sentient_cli.errors import CredentialStoreError

__all__ = ["KeyWatch"]

_logger = logging.getLogger(__name__)
_RETIRE_AFTER: Final = 30
"""Looks after which it is seen whether a value is still kept whose grace is over."""


class KeyWatch:
    """Tells when another value of a credential is current.

    Args:
        seconds: Between two looks.
        changed: Is told, on the loop.
        retire: Leaves out values whose grace is over; called in a thread.
    """

    def __init__(self, seconds: float, changed: Callable[[], None], retire: Callable[[], None]) -> None:
        self._seconds = seconds
        self._changed = changed
        self._retire = retire
        self._catalogue = Catalogue()
        self._watch = Watch(self._catalogue)

    async def run(self) -> None:
        """Tell what is due, then look until it is cancelled."""
        self._tell_what_is_due()
        looks = 0
        while True:
            await asyncio.sleep(self._seconds)
            if self._watch.look():
                self._changed()
            looks += 1
            if looks % _RETIRE_AFTER == 0:
                await asyncio.to_thread(self._retire)

    def _tell_what_is_due(self) -> None:
        with contextlib.suppress(CredentialStoreError):  # `sentient doctor` tells that it is not whole
            for warned in warnings_of(self._catalogue.cards(), now=time.time_ns()):
                _logger.warning("%s. %s", warned.text, warned.fix)
