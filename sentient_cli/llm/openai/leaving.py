"""Cancels responses that go on in the background when nobody waits for them any more.

Source: https://platform.openai.com/docs/guides/background.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sentient_cli.config.secret import Secret
from sentient_cli.llm.openai.responses_decoder import ResponsesDecoder
from sentient_cli.llm.openai.sending import authorization, post

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["Leaving"]

_logger = logging.getLogger(__name__)

_PATIENCE: Final = 5.0
"""Seconds that it may take to cancel one."""
_AT_THE_END: Final = 2.0
"""Seconds that those get which are being cancelled when all is closed."""
_LARGEST: Final = 4 * 1024 * 1024


class Leaving:
    """Cancels responses, each once, while whoever left them goes on. One that cannot be cancelled is left alone.

    Args:
        provider: Whose.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._going: set[asyncio.Task[None]] = set()

    def leave(self, client: AsyncOpenAI, decoder: ResponsesDecoder, key: Secret | None) -> None:
        """Nobody reads a response any more: have it cancelled, unless it has ended or never got a name.

        Args:
            client: The SDK's.
            decoder: Knows which response it is, and how far it came.
            key: What it was asked with.
        """
        if decoder.over or decoder.response_id is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # the loop is gone, and all connections with it
        # A context of its own: what belongs to the call that was left is none of its business.
        task = loop.create_task(self._cancel(client, decoder.response_id, key), context=Context())
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def _cancel(self, client: AsyncOpenAI, response_id: str, key: Secret | None) -> None:
        from sentient_cli.llm.wire.bridge import incoming_of  # noqa: PLC0415 - is loaded by now

        path = f"/responses/{quote(response_id, safe='')}/cancel"
        try:
            async with asyncio.timeout(_PATIENCE):
                headers = {"accept": "application/json", **authorization(key)}
                response = await post(self._provider, client, path, b"{}", headers)
                incoming = incoming_of(self._provider, response)
                try:
                    await incoming.read(_LARGEST)  # to its end: only then the connection can be used again
                finally:
                    incoming.close()
        except Exception as error:  # noqa: BLE001 - it may have ended by itself, and nobody is left to be told
            _logger.debug("A response of %r that nobody reads was not cancelled: %s", self._provider, error)

    async def aclose(self) -> None:
        """Wait a moment for those that are being cancelled in this loop."""
        here = asyncio.get_running_loop()
        going = [task for task in self._going if task.get_loop() is here]
        if not going:
            return
        try:
            await asyncio.wait(going, timeout=_AT_THE_END)
        finally:
            for task in going:
                task.cancel()
        await asyncio.gather(*going, return_exceptions=True)
