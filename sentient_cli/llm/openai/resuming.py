"""Takes up a response that goes on in the background, exactly where its connection broke.

Source: https://platform.openai.com/docs/guides/background.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderError
from sentient_cli.llm.openai.responses_decoder import ResponsesDecoder
from sentient_cli.llm.openai.seam import failure_of_sdk
from sentient_cli.llm.openai.sending import authorization
from sentient_cli.llm.wire.reading import Incoming

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["Resuming"]

_MOST: Final = 3
"""How often one response is taken up, in vain or not."""
_PAUSE: Final = 0.25
"""Seconds before it is tried again, doubled each time."""
_LONGEST: Final = 5.0
"""Seconds at most, where the provider says how long."""


class Resuming:
    """Takes up one response.

    Args:
        provider: Whose.
        client: The SDK's.
        decoder: Knows which response it is, and what came of it.
        key: What it was asked with.
        include: What of it was asked for that does not come unasked.
    """

    __slots__ = ("_client", "_decoder", "_include", "_key", "_left", "_provider")

    def __init__(
        self,
        provider: str,
        client: AsyncOpenAI,
        decoder: ResponsesDecoder,
        key: Secret | None,
        include: Sequence[str] = (),
    ) -> None:
        self._include = include
        self._provider = provider
        self._client = client
        self._decoder = decoder
        self._key = key
        self._left = _MOST

    async def __call__(self) -> Incoming | None:
        """The rest of it; None when it cannot be had, since it was never named or broke too often.

        Raises:
            ProviderError: it cannot be asked for.
        """
        pause = _PAUSE
        while self._decoder.response_id is not None and self._left:
            self._left -= 1
            try:
                return await self._rest(self._decoder.response_id)
            except ProviderError as failure:
                if not failure.retryable or not self._left:
                    raise
                # What broke the connection may last a moment, and to be asked anew costs more than that.
                await asyncio.sleep(pause if failure.retry_after is None else min(failure.retry_after, _LONGEST))
                pause *= 2
        return None

    async def _rest(self, response_id: str) -> Incoming:
        """What comes after the last event.

        Raises:
            ProviderError: it cannot be asked for.
        """
        import httpx2  # noqa: PLC0415 - is loaded by now

        from sentient_cli.llm.wire.bridge import incoming_of  # noqa: PLC0415 - the same

        decoder = self._decoder
        told = [("stream", "true"), *(("include[]", each) for each in self._include)]
        if decoder.sequence >= 0:
            told.append(("starting_after", str(decoder.sequence)))
        try:
            response = await self._client.get(
                f"/responses/{quote(response_id, safe='')}?{urlencode(told)}",
                cast_to=httpx2.Response,
                options={"headers": {"accept": "text/event-stream", **authorization(self._key)}},
                stream=True,
                stream_cls=None,
            )
        except Exception as error:  # noqa: BLE001 - the seam sorts them
            failure = failure_of_sdk(self._provider, error)
        else:
            decoder.resume()
            return incoming_of(self._provider, response)
        raise failure
