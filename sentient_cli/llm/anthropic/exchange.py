"""One message: sent, and its answer read to the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, NamedTuple

from sentient_cli.errors import ProviderConnectionError, ProviderError, SentientError
from sentient_cli.llm.anthropic.meaning import meaning_of, read_told
from sentient_cli.llm.anthropic.reading import MessageReader
from sentient_cli.llm.types import Chunk
from sentient_cli.llm.wire.meter import Meter
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.refusals import check_answer

__all__ = ["Opened", "check_stream", "exchange"]

_LONGEST: Final = 256 * 1024


class Opened(NamedTuple):
    """An answer that has begun.

    Args:
        incoming: Its body.
        reader: Takes it apart.
        refused: Told when it fails in the middle.
    """

    incoming: Incoming
    reader: MessageReader
    refused: Callable[[ProviderError], None]


async def exchange(send: Callable[[], Awaitable[Opened]], meter: Meter) -> AsyncGenerator[Chunk, None]:
    """Send a message and give its answer piece by piece; closing it frees the connection.

    Args:
        send: Sends it.
        meter: Counts the call.

    Raises:
        SentientError: it failed; a `ProviderError` carries the text so far.
    """
    meter.begin()
    opened: Opened | None = None
    failed = False
    try:
        opened = await send()
        reader, read = opened.reader, opened.incoming.read_some
        while not reader.done and (data := await read()):
            for chunk in reader.feed(data):
                yield chunk
            if reader.failure is not None:
                raise reader.failure
        for chunk in reader.end():
            yield chunk
        await opened.incoming.settle()
    except SentientError as error:
        failed = True
        if opened is not None and isinstance(error, ProviderError):
            error.partial_text = opened.reader.text
            opened.refused(error)
        raise
    finally:
        if opened is not None:
            opened.incoming.close()
        meter.end(opened.reader.usage if opened is not None else None, failed=failed)


async def check_stream(incoming: Incoming, provider: str, where: str) -> None:
    """Find out whether a stream follows.

    Args:
        incoming: The answer.
        provider: Whose.
        where: What was asked for, to be told.

    Raises:
        ProviderError: something else does.
    """
    if await check_answer(provider, incoming, where):
        return
    refusal = read_told(await incoming.read(_LONGEST))
    if refusal.kind or refusal.code:
        raise meaning_of(provider, None, refusal)
    raise ProviderConnectionError(
        f"The provider {provider!r} did not answer with a stream",
        why="Its answer is JSON as a whole",
        fix="Check its `base_url`",
        provider=provider,
        retryable=False,
    )
