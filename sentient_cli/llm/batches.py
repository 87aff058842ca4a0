"""Requests that are handed in together, and answered within a day for less."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol, TypeAlias, cast

import msgspec

from sentient_cli.errors import BadRequestError, ProviderError
from sentient_cli.llm.conversation import as_conversation
from sentient_cli.llm.provider import Request
from sentient_cli.llm.types import Completion

__all__ = ["BatchProvider", "BatchResult", "BatchState", "BatchStatus", "check_batch", "check_batch_id"]

BatchState: TypeAlias = Literal["running", "cancelling", "ended", "failed"]
"""How far a batch is; ``failed``: not one of its requests was taken."""


class BatchStatus(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How far a batch is.

    Args:
        id: Names the batch.
        state: Whether it goes on. The results are there once it ``ended``.
        waiting: Requests that are not answered yet.
        succeeded: Requests that have an answer.
        failed: Requests that failed, were cancelled, or came too late.

    Example:
        >>> BatchStatus(id="batch_1", state="running", waiting=2).is_over
        False
    """

    id: str
    state: BatchState
    waiting: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {"ended", "failed"}


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request: an answer or an error.

    Args:
        index: Its place among the requests, from 0.
        completion: The answer.
        error: Why there is none.

    Example:
        >>> BatchResult(index=0, error=ProviderError("Came too late")).answer()
        Traceback (most recent call last):
        sentient_cli.errors.ProviderError: Came too late.
    """

    index: int
    completion: Completion | None = None
    error: ProviderError | None = None

    def answer(self) -> Completion:
        """The answer.

        Raises:
            ProviderError: there is none.
        """
        if self.completion is None:
            raise self.error or ProviderError("The batch has no answer to this request")
        return self.completion


def check_batch(requests: object, most: int, provider: str) -> None:
    """See whether requests can be handed in together.

    Args:
        requests: What was given.
        most: How many are taken at once.
        provider: Whose; errors name it.

    Raises:
        BadRequestError: there are none or too many, or something else is among them.

    Example:
        >>> check_batch(["Hello"], 10, "openai")
        Traceback (most recent call last):
        ...
        sentient_cli.errors.BadRequestError: A request of a batch is a `Request`, not str. Write `Request(model=…,...
    """
    if not isinstance(requests, list | tuple):
        name = type(requests).__name__
        raise BadRequestError(f"A batch is a list of requests, not {name}", fix="Give a list", provider=provider)
    listed = cast("list[object] | tuple[object, ...]", requests)
    if not 0 < len(listed) <= most:
        raise BadRequestError(
            f"A batch of {len(listed)} requests is not taken",
            fix=f"Hand in from 1 to {most} at once",
            provider=provider,
        )
    for request in listed:
        if not isinstance(request, Request):
            raise BadRequestError(
                f"A request of a batch is a `Request`, not {type(request).__name__}",
                fix="Write `Request(model=…, messages=…)`",
                provider=provider,
            )
        as_conversation(request.messages)


def check_batch_id(batch: object, form: re.Pattern[str], provider: str) -> None:
    """See whether something can be the id of a batch.

    Args:
        batch: What was given.
        form: Of the provider's ids.
        provider: Whose; errors name it.

    Raises:
        BadRequestError: it cannot.

    Example:
        >>> check_batch_id("batch_1", re.compile("[a-z0-9_]+"), "openai")
    """
    if not isinstance(batch, str) or not form.fullmatch(batch):
        raise BadRequestError(f"There is no batch {batch!r:.60}", fix="Give the id of a batch", provider=provider)


class BatchProvider(Protocol):
    """A provider that takes batches: one whose ``capabilities.batches`` is true.

    Example:
        >>> from sentient_cli.config.secret import Secret
        >>> from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider
        >>> provider: BatchProvider = AnthropicProvider(AnthropicConfig(api_key=Secret("sk-ant-1")))
    """

    async def submit_batch(self, requests: Sequence[Request]) -> str:
        """Hand requests in, and get the id of the batch.

        Raises:
            ProviderError: they are not taken.
        """
        ...

    async def batch_status(self, batch: str) -> BatchStatus:
        """How far a batch is.

        Raises:
            ProviderError: it does not tell, or has no such batch.
        """
        ...

    def batch_results(self, batch: str) -> AsyncGenerator[BatchResult, None]:
        """The results of a batch that ended, in any order.

        Raises:
            ProviderError: there are none, or none yet.
        """
        ...

    async def cancel_batch(self, batch: str) -> BatchStatus:
        """Answer no more of a batch; what is answered already stays.

        Raises:
            ProviderError: it cannot be cancelled.
        """
        ...
