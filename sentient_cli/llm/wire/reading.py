"""An answer on its way in: read piece by piece or as a whole, and given up at any moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sentient_cli.errors import ProviderConnectionError
from sentient_cli.llm.wire.seam import failure_of

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["Incoming"]

_GRACE: Final = 0.1
"""Seconds that an answer may take to end once all is said, so that its connection can be used again."""


class Incoming:
    """An answer whose head is there. Close it: that frees its connection at once.

    Args:
        provider: Whose.
        response: What the library gave.
        freed: Called once, when it is closed.
        config: The settings of its call.
    """

    __slots__ = ("_config", "_content", "_freed", "_provider", "_response", "headers", "status")

    def __init__(
        self, provider: str, response: ClientResponse, freed: Callable[[], None], config: RemoteConfig
    ) -> None:
        self._provider = provider
        self._response = response
        self._content = response.content
        self._freed: Callable[[], None] | None = freed
        self._config = config
        self.status: int = response.status
        self.headers: dict[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def read_some(self) -> bytes:
        """What has come since, at least a byte; nothing at the end.

        Raises:
            ProviderError: the connection broke, or is silent for too long.
        """
        try:
            return await self._content.readany()
        except Exception as error:  # noqa: BLE001 - the seam sorts them
            failure = failure_of(self._provider, error, self._config)
        raise failure

    async def read(self, limit: int) -> bytes:
        """All of it, unpacked.

        Args:
            limit: Bytes that it may have.

        Raises:
            ProviderError: as `read_some`, or it is too large.
        """
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read_some():
            size += len(piece)
            if size > limit:
                raise ProviderConnectionError(
                    f"An answer of the provider {self._provider!r} is too large",
                    why=f"It has more than {limit} bytes",
                    fix="Check its `base_url`",
                    provider=self._provider,
                    retryable=False,
                )
            pieces.append(piece)
        return b"".join(pieces)

    async def settle(self) -> None:
        """All is said: wait a moment for the formal end, and drop what else comes. Never fails."""
        if self._content.at_eof():
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_GRACE):
                while await self._content.readany():
                    pass

    def close(self) -> None:
        """Free the connection: for the next call when the answer was read to its end, else by closing it."""
        freed, self._freed = self._freed, None
        if freed is not None:
            self._response.close()
            freed()
