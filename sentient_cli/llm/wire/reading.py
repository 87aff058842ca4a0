"""An answer on its way in: read piece by piece or as a whole, and given up at any moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import ProviderConnectionError, ProviderTimeoutError
from sentient_cli.llm.wire.patience import SLOWEST, stalled
from sentient_cli.llm.wire.seam import failure_of

if TYPE_CHECKING:
    from sentient_cli.llm.wire.pool import Answered
    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["Incoming"]

_GRACE: Final = 0.1
"""Seconds that an answer may take to end once all is said, so that its connection can be used again."""


class Incoming:
    """An answer whose head is there. Close it: that frees its connection at once.

    Args:
        provider: Whose.
        answered: What the connection gave.
        freed: Called once, when it is closed.
        config: The settings of its call.
    """

    __slots__ = ("_answered", "_config", "_freed", "_provider", "headers", "readany", "status")

    def __init__(self, provider: str, answered: Answered, freed: Callable[[], None], config: RemoteConfig) -> None:
        self._provider = provider
        self._answered = answered
        self.readany: Callable[[], Awaitable[bytes]] = answered.readany
        """As `read_some`, with what the connection itself raises: for who reads every piece, and sorts it there."""
        self._freed: Callable[[], None] | None = freed
        self._config = config
        self.status: int = answered.status
        self.headers: Mapping[str, str] = answered.headers
        """With names in lower case."""

    async def read_some(self) -> bytes:
        """What has come since, at least a byte; nothing at the end.

        Raises:
            ProviderError: the connection broke, or is silent for too long.
        """
        try:
            return await self.readany()
        except Exception as error:  # noqa: BLE001 - the seam sorts them
            failure = self.failure_of(error)
        raise failure

    def failure_of(self, error: Exception) -> Exception:
        """Our error for what the connection raised; what is none of the network is given back as it is."""
        return failure_of(self._provider, error, self._config)

    async def read(self, limit: int) -> bytes:
        """All of it, unpacked.

        Args:
            limit: Bytes that it may have.

        Raises:
            ProviderError: as `read_some`, or it is too large, or takes too long for its size.
        """
        loop, patience = asyncio.get_running_loop(), self._config.patience
        until = loop.time() + patience
        pieces: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout_at(until) as bound:
                while piece := await self.read_some():
                    size += len(piece)
                    self._check_size(size, limit)
                    pieces.append(piece)
                    bound.reschedule(until + size / SLOWEST)
        except TimeoutError:
            raise self.stalled() from None
        return b"".join(pieces)

    def _check_size(self, size: int, limit: int) -> None:
        if size > limit:
            raise ProviderConnectionError(
                f"An answer of the provider {self._provider!r} is too large",
                why=f"It has more than {limit} bytes",
                fix="Check its `base_url`",
                provider=self._provider,
                retryable=False,
            )

    async def settle(self) -> None:
        """All is said: wait a moment for the formal end, and drop what else comes. Never fails."""
        if self._answered.at_eof():
            return
        ending = asyncio.get_running_loop().call_later(_GRACE, self.close)
        try:
            with contextlib.suppress(Exception):
                while await self.readany():
                    pass
        finally:
            ending.cancel()

    @property
    def patience(self) -> float:
        """Seconds without anything of an answer."""
        return self._config.patience

    def stalled(self) -> ProviderTimeoutError:
        """The error when that is over."""
        return stalled(self._provider, self._config.patience)

    def close(self) -> None:
        """Free the connection: for the next call when the answer was read to its end, else by closing it."""
        freed, self._freed = self._freed, None
        if freed is not None:
            self._answered.close()
            freed()
