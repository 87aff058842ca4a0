"""OpenAI's batches: files of requests, answered within a day for less.

Source: https://platform.openai.com/docs/guides/batch.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from sentient_cli.config.secret import Secret
from sentient_cli.errors import BadRequestError, ProviderConnectionError, ProviderError
from sentient_cli.llm.assembly import Assembly
from sentient_cli.llm.batches import BatchResult, BatchState, BatchStatus, check_batch, check_batch_id
from sentient_cli.llm.chatwire.body import body_of
from sentient_cli.llm.chatwire.decoder import ChatDecoder
from sentient_cli.llm.openai.config import DIALECT
from sentient_cli.llm.openai.seam import failure_of_sdk
from sentient_cli.llm.openai.sending import authorization
from sentient_cli.llm.provider import Request
from sentient_cli.llm.wire.refusals import refusal_of

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

__all__ = ["Batches"]

T = TypeVar("T")

_MOST: Final = 50_000
_ENDPOINT: Final = "/v1/chat/completions"
_OK: Final = 200
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_STATES: Final[dict[str, BatchState]] = {
    "failed": "failed",
    "completed": "ended",
    "expired": "ended",
    "cancelling": "cancelling",
    "cancelled": "ended",
}


class _Answer(msgspec.Struct):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"{}")


class _Line(msgspec.Struct):
    custom_id: str
    response: _Answer | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class Batches:
    """The batches of one client.

    Args:
        provider: Whose; errors name it.
        client: The SDK's.
        key: What is asked with: batches belong to a key's account.
    """

    def __init__(self, provider: str, client: AsyncOpenAI, key: Secret | None) -> None:
        self._provider = provider
        self._client = client
        self._headers = authorization(key)

    async def submit(self, requests: Sequence[Request]) -> str:
        """Hand requests in, and get the id of the batch.

        Raises:
            ProviderError: they are not taken.
        """
        check_batch(requests, _MOST, self._provider)
        file = await self._asked(
            self._client.files.create(
                file=("batch.jsonl", self._lines(requests)), purpose="batch", extra_headers=self._headers
            )
        )
        batch = await self._asked(
            self._client.batches.create(
                input_file_id=file.id,
                endpoint=_ENDPOINT,
                completion_window="24h",
                extra_headers=self._headers,
            )
        )
        return batch.id

    def _lines(self, requests: Sequence[Request]) -> bytes:
        lines = [
            {
                "custom_id": f"request-{place}",
                "method": "POST",
                "url": _ENDPOINT,
                "body": msgspec.Raw(body_of(request, DIALECT, self._provider, stream=False).content),
            }
            for place, request in enumerate(requests)
        ]
        return b"\n".join(map(msgspec.json.encode, lines))

    async def status(self, batch: str) -> BatchStatus:
        """How far a batch is.

        Raises:
            ProviderError: it does not tell.
        """
        return _status(await self._retrieve(batch))

    async def cancel(self, batch: str) -> BatchStatus:
        """Answer no more of a batch.

        Raises:
            ProviderError: it cannot be cancelled.
        """
        self._check(batch)
        return _status(await self._asked(self._client.batches.cancel(batch, extra_headers=self._headers)))

    async def results(self, batch: str) -> AsyncGenerator[BatchResult, None]:
        """The results, those that failed at the end.

        Raises:
            ProviderError: there are none, or none yet.
        """
        told = await self._retrieve(batch)
        files = [name for name in (told.output_file_id, told.error_file_id) if name]
        if not files:
            raise BadRequestError(
                f"The batch {batch!r:.60} has no results",
                why=f"It is {told.status!r:.40}",
                fix="Ask again when it ended",
                provider=self._provider,
            )
        for name in files:
            content = await self._asked(self._client.files.content(name, extra_headers=self._headers))
            for line in content.content.split(b"\n"):
                if line.strip():
                    yield self._result(line)

    async def _retrieve(self, batch: str) -> Batch:
        self._check(batch)
        return await self._asked(self._client.batches.retrieve(batch, extra_headers=self._headers))

    def _check(self, batch: str) -> None:
        check_batch_id(batch, _ID, self._provider)

    async def _asked(self, asking: Awaitable[T]) -> T:
        try:
            return await asking
        except Exception as error:  # noqa: BLE001 - the seam sorts them
            failure = failure_of_sdk(self._provider, error)
        raise failure

    def _result(self, line: bytes) -> BatchResult:
        try:
            told = msgspec.json.decode(line, type=_Line)
            index = int(told.custom_id.removeprefix("request-"))
        except (msgspec.DecodeError, UnicodeError, ValueError):
            raise ProviderConnectionError(
                f"A result of a batch of {self._provider!r} cannot be read",
                fix="Give the id of a batch that was handed in here",
                provider=self._provider,
                retryable=False,
            ) from None
        if told.response is None or told.response.status_code != _OK:
            return BatchResult(index=index, error=self._error(told))
        assembly, decoder = Assembly(), ChatDecoder(self._provider)
        try:
            for chunk in decoder.whole(bytes(told.response.body)):
                assembly.add(chunk)
            completion = assembly.completion(self._provider, _model(told.response.body))
        except ProviderError as error:
            return BatchResult(index=index, error=error)
        return BatchResult(index=index, completion=completion)

    def _error(self, told: _Line) -> ProviderError:
        status = told.response.status_code if told.response is not None else 500
        body = told.response.body if told.response is not None else told.error
        return refusal_of(self._provider, status, {}, bytes(body), "a request of a batch")


class _Named(msgspec.Struct):
    model: str = ""


def _model(body: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(body, type=_Named).model
    except msgspec.DecodeError:
        return ""


def _status(told: Batch) -> BatchStatus:
    counts = told.request_counts
    done, failed, total = (counts.completed, counts.failed, counts.total) if counts else (0, 0, 0)
    state = _STATES.get(told.status, "running")
    left = max(0, total - done - failed)
    over = state == "ended"
    return BatchStatus(
        id=told.id, state=state, waiting=0 if over else left, succeeded=done, failed=failed + (left if over else 0)
    )
