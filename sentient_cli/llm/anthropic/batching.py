"""Anthropic's message batches.

Source: https://platform.claude.com/docs/en/build-with-claude/batch-processing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Final, Protocol

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.errors import ProviderConnectionError, ProviderError
from sentient_cli.llm.anthropic.client import Client
from sentient_cli.llm.anthropic.events import (
    Block,
    WireMessage,
    WireUsage,
    finish_of,
    refusal_of,
    said_besides,
    usage_of,
)
from sentient_cli.llm.anthropic.listing import decoded
from sentient_cli.llm.anthropic.meaning import meaning_of, read_told
from sentient_cli.llm.anthropic.request import Asked
from sentient_cli.llm.batches import BatchResult, BatchState, BatchStatus, check_batch, check_batch_id
from sentient_cli.llm.parts import ThinkingPart
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Completion, JsonValue, ToolCall
from sentient_cli.llm.wire.patience import Patience
from sentient_cli.llm.wire.reading import Incoming

__all__ = ["Batches", "completion_of"]

_PATH: Final = "/v1/messages/batches"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_STATES: Final[dict[str, BatchState]] = {"in_progress": "running", "canceling": "cancelling", "ended": "ended"}
_LONGEST_LINE: Final = 64 * 1024 * 1024
_MOST: Final = 100_000


class _Counts(msgspec.Struct, frozen=True, gc=False):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _Batch(msgspec.Struct, frozen=True, gc=False):
    id: str
    processing_status: str
    request_counts: _Counts = _Counts()


class _Told(msgspec.Struct, frozen=True):
    type: str
    message: WireMessage | None = None
    error: msgspec.Raw = msgspec.Raw(b"{}")


class _Line(msgspec.Struct, frozen=True):
    custom_id: str
    result: _Told


class Sender(Protocol):
    """What batches need of their provider."""

    @property
    def provider_id(self) -> str:
        """What it is called."""
        ...

    async def client(self) -> Client:
        """Sends requests."""
        ...

    @property
    def batch_key(self) -> Secret | None:
        """The key of batches, which belong to its account."""
        ...

    def asked(self, request: Request) -> Asked:
        """What is sent for a request."""
        ...


class Batches:
    """The batches of a provider.

    Args:
        provider: Gives the client, the keys and the form of requests.
    """

    def __init__(self, provider: Sender) -> None:
        self._provider = provider

    async def submit(self, requests: Sequence[Request]) -> str:
        """Hand requests in, and get the id of the batch.

        Raises:
            ProviderError: they are not taken.
        """
        check_batch(requests, _MOST, self._provider.provider_id)
        entries: list[JsonValue] = []
        betas: dict[str, None] = {}
        for place, request in enumerate(requests):
            asked = self._provider.asked(request)
            params = asked.body
            betas.update(dict.fromkeys(asked.betas))
            del params["stream"]
            # What is said of the place is all that is needed, and names made by others may not be taken.
            entries.append({"custom_id": f"request-{place}", "params": params})
        client = await self._provider.client()
        body = msgspec.json.encode({"requests": entries})
        told = await client.fetch("POST", _PATH, self._provider.batch_key, body, tuple(betas))
        return decoded(told, _Batch, self._provider.provider_id).id

    async def status(self, batch: str) -> BatchStatus:
        """How far a batch is.

        Raises:
            ProviderError: it does not tell.
        """
        path = self._path(batch)
        client = await self._provider.client()
        return self._status(await client.fetch("GET", path, self._provider.batch_key))

    async def cancel(self, batch: str) -> BatchStatus:
        """Answer no more of a batch.

        Raises:
            ProviderError: it cannot be cancelled.
        """
        path = self._path(batch)
        client = await self._provider.client()
        return self._status(await client.fetch("POST", f"{path}/cancel", self._provider.batch_key, b"{}"))

    async def results(self, batch: str) -> AsyncGenerator[BatchResult, None]:
        """The results, one line of the answer after the other: there may be a hundred thousand.

        Raises:
            ProviderError: there are none, or none yet.
        """
        # The address of the results is told as well, but keys go to no address that an answer tells.
        path = f"{self._path(batch)}/results"
        client = await self._provider.client()
        incoming = await client.open("GET", path, self._provider.batch_key)
        async with aclosing(_lines(incoming, self._provider.provider_id)) as lines:
            async for line in lines:
                yield self._result(line)

    def _path(self, batch: str) -> str:
        check_batch_id(batch, _ID, self._provider.provider_id)
        return f"{_PATH}/{batch}"

    def _status(self, body: bytes) -> BatchStatus:
        told = decoded(body, _Batch, self._provider.provider_id)
        counts = told.request_counts
        return BatchStatus(
            id=told.id,
            state=_STATES.get(told.processing_status, "running"),
            waiting=counts.processing,
            succeeded=counts.succeeded,
            failed=counts.errored + counts.canceled + counts.expired,
        )

    def _result(self, line: bytes) -> BatchResult:
        provider = self._provider.provider_id
        told = decoded(line, _Line, provider)
        place = told.custom_id.removeprefix("request-")
        if not place.isdecimal():
            raise ProviderConnectionError(
                f"The batch of {provider!r} has a result of no request of ours",
                why=f"It is named {told.custom_id!r:.60}",
                fix="Give the id of a batch that was handed in here",
                provider=provider,
                retryable=False,
            )
        result = told.result
        if result.message is not None:
            return BatchResult(index=int(place), completion=completion_of(result.message, provider))
        return BatchResult(index=int(place), error=_error(result, provider))


def _error(result: _Told, provider: str) -> ProviderError:
    if result.type == "errored":
        return meaning_of(provider, None, read_told(bytes(result.error)))
    what = "was cancelled" if result.type == "canceled" else "was not answered in time"
    return ProviderError(
        f"A request of a batch {what}", fix="Hand it in again", provider=provider, retryable=result.type != "canceled"
    )


async def _lines(incoming: Incoming, provider: str) -> AsyncGenerator[bytes, None]:
    """The lines of an answer, which is closed at the end."""
    rest = b""
    patience = Patience(incoming.patience, incoming.close)
    patience.begin()
    try:
        while piece := await _piece(incoming, patience):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                raise ProviderConnectionError(f"A result of a batch of {provider!r} is too large", provider=provider)
            patience.is_read = True
            for line in lines:
                if line.strip():
                    yield line
                    patience.moved = True
            patience.is_read = False
        if rest.strip():
            yield rest
    finally:
        patience.end()
        incoming.close()


async def _piece(incoming: Incoming, patience: Patience) -> bytes:
    """What came since, unless no line has come for too long."""
    try:
        return await incoming.read_some()
    except ProviderError:
        if patience.renew():
            raise incoming.stalled() from None
        raise


def completion_of(message: WireMessage, provider: str) -> Completion:
    """A whole message as an answer.

    Example:
        >>> message = WireMessage(model="claude-opus-5", content=[Block("text", "Hi")], stop_reason="end_turn")
        >>> completion_of(message, "anthropic").text
        'Hi'
    """
    blocks, usage = message.content or [], message.usage or WireUsage()
    model = message.model or ""
    return Completion(
        text="".join(block.text or "" for block in blocks if block.type == "text"),
        tool_calls=tuple(_call(block) for block in blocks if block.type == "tool_use"),
        usage=usage_of(usage),
        finish_reason=finish_of(message.stop_reason),
        provider=provider,
        model=model,
        model_used=model,
        thinking=tuple(_thoughts(blocks)),
        refusal=refusal_of(message),
        extra=said_besides(message, usage.service_tier),
    )


def _call(block: Block) -> ToolCall:
    return ToolCall(block.id or "", block.name or "", msgspec.json.encode(block.input or {}).decode())


def _thoughts(blocks: Iterable[Block]) -> Iterable[ThinkingPart]:
    for block in blocks:
        if block.type == "thinking":
            yield ThinkingPart(block.thinking or "", block.signature or "")
        elif block.type == "redacted_thinking":
            yield ThinkingPart(redacted=block.data or "")
