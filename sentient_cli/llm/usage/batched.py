"""What batches may cost, set aside until their results are read, and what they used, written down once a request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.llm.batches import BatchResult, BatchStatus
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.models.rates import cost_of
from sentient_cli.llm.provider import Request
from sentient_cli.llm.subject import current_subject
from sentient_cli.llm.tokens import USUAL_OUTPUT, tokens_of
from sentient_cli.llm.types import Usage
from sentient_cli.llm.usage.budget import Budget, Reserved
from sentient_cli.llm.usage.held import HeldBatch
from sentient_cli.llm.usage.rows import UsageRow, bounded_cost, bounded_usage

if TYPE_CHECKING:
    from sentient_cli.llm.usage.ledger import UsageLedger

__all__ = ["BatchBook"]

TIER: Final = "batch"
"""The service tier by which prices of batches are looked up."""
_AT_ONCE: Final = 1000
"""So many rows wait at most until they are written: a batch has more than the ledger holds in memory."""


class BatchBook:
    """Writes down what the answers of batches used, and tells what each cost.

    A row has the provider, the id of the batch and the place of the request as its name, so that results that are read
    again, in another process too, are not counted again. What failed costs nothing, and is not written down.

    Args:
        prices: What tokens cost in a batch.
        ledger: Where it is written; None: nowhere.
        budget: What may be spent.
        profile: The profile of settings that is in use.
        clock: What the time is.

    Example:
        >>> from sentient_cli.llm.types import Completion, Usage
        >>> async def results() -> AsyncGenerator[BatchResult, None]:
        ...     usage = Usage(input=1_000_000, output=0)
        ...     answer = Completion(text="Hi", usage=usage, finish_reason="stop", provider="openai", model="gpt-4o")
        ...     yield BatchResult(index=0, completion=answer)
        >>> async def main() -> list[float | None]:
        ...     book = BatchBook(PriceBook())
        ...     return [each.answer().cost async for each in book.results("openai", "batch_1", results())]
        >>> import asyncio
        >>> asyncio.run(main())
        [1.25]
    """

    def __init__(
        self,
        prices: PriceBook,
        ledger: UsageLedger | None = None,
        *,
        budget: Budget | None = None,
        profile: str = "default",
        clock: Clock | None = None,
    ) -> None:
        self._prices = prices
        self._ledger = ledger
        self._budget = budget
        self._profile = profile
        self._clock = clock or SystemClock()
        self._reserved: dict[str, Reserved] = {}
        """What is set aside for batches that no ledger knows of."""

    async def submit(self, provider: str, requests: Sequence[Request], hand_in: Callable[[], Awaitable[str]]) -> str:
        """Hand a batch in, if there is enough left of the budgets for it, and get its id.

        What it is expected to cost is set aside until its results are read or it comes to nothing: in the ledger, so
        that other processes see it too. What has no known price counts nothing.

        Args:
            provider: The id of the provider.
            requests: Those of the batch.
            hand_in: Hands it in, and gives its id.

        Raises:
            BudgetExceededError: there is not; nothing was sent.
            ProviderError: it is not taken.
        """
        expected = await self._expected(provider, requests)
        session = current_subject.get().session
        reserved = None if self._budget is None else await self._budget.reserve(expected, session, kind="batch")
        try:
            batch = await hand_in()
        except BaseException:
            self._settle(reserved)
            raise
        if expected:
            await self._hold(HeldBatch.key_of(provider, batch), expected, session, reserved)
        return batch

    async def _expected(self, provider: str, requests: Sequence[Request]) -> float:
        if self._budget is None and self._ledger is None:
            return 0.0
        expected = 0.0
        for request in requests:
            await self._prices.ready(provider, request.model, TIER)
            output = min(request.parameters.max_tokens or USUAL_OUTPUT, USUAL_OUTPUT)
            usage = Usage(input=tokens_of(request), output=output)
            expected += cost_of(usage, self._prices.rates(provider, request.model, TIER)) or 0.0
        return expected

    async def _hold(self, key: str, expected: float, session: str | None, reserved: Reserved | None) -> None:
        held = HeldBatch(batch=key, at=self._clock.now_ns(), amount=expected, session=session, profile=self._profile)
        written = True
        try:
            written = self._ledger is not None and await self._ledger.hold(held)
        finally:
            if self._budget is not None and reserved is not None:
                if written:
                    self._budget.hold(reserved)
                else:  # it is known here at least, as long as this process lives
                    self._reserved[key] = reserved

    async def told(self, provider: str, status: BatchStatus) -> None:
        """Take what a provider tells of a batch: requests that failed cost nothing, and nothing is set aside for them.

        Args:
            provider: The id of the provider.
            status: How far the batch is.
        """
        over = status.succeeded + status.failed
        if not status.is_over or not (over or status.state == "failed"):
            return
        share = status.succeeded / over if over else 0.0
        await self._let_go(HeldBatch.key_of(provider, status.id), share)

    async def _let_go(self, key: str, share: float = 0.0, cost: float = 0.0) -> None:
        if self._ledger is not None:
            await self._ledger.let_go(key, share)
        if self._budget is not None:
            self._budget.changed()
        if not share:
            self._settle(self._reserved.pop(key, None), cost)

    def _settle(self, reserved: Reserved | None, cost: float = 0.0) -> None:
        if self._budget is not None and reserved is not None:
            self._budget.settle(reserved, cost)

    async def results(
        self, provider: str, batch: str, source: AsyncGenerator[BatchResult, None]
    ) -> AsyncGenerator[BatchResult, None]:
        """The results of a batch, each written down, and with its cost. After the last one nothing is set aside for it.

        Args:
            provider: The id of the provider.
            batch: The id of the batch.
            source: The results as the provider gives them; closed at the end.
        """
        added, spent = 0, 0.0
        async with aclosing(source) as results:
            async for result in results:
                answer = result.completion
                if answer is None:
                    yield result
                    continue
                model = answer.model_used or answer.model
                await self._prices.ready(provider, model, TIER)
                cost = self._prices.cost(provider, model, bounded_usage(answer.usage), TIER)
                if self._ledger is not None:
                    self._ledger.add(self._row(provider, batch, result, model, cost))
                    added += 1
                    if added % _AT_ONCE == 0:
                        await self._ledger.flush()
                spent += bounded_cost(cost) or 0.0
                answer = msgspec.structs.replace(answer, cost=cost)
                yield msgspec.structs.replace(result, completion=answer)
        await self._let_go(HeldBatch.key_of(provider, batch), cost=spent)

    def _row(self, provider: str, batch: str, result: BatchResult, model: str, cost: float | None) -> UsageRow:
        subject = current_subject.get()
        row = UsageRow(
            call=f"{HeldBatch.key_of(provider, batch)}/{result.index}",
            at=self._clock.now_ns(),
            provider=provider,
            model=model,
            agent=subject.agent,
            session=subject.session,
            query=subject.query,
            run=subject.run,
            tenant=subject.tenant,
            profile=self._profile,
            cost=bounded_cost(cost),
            tier=TIER,
            once=True,
        )
        if result.completion is not None:
            row.take(result.completion.usage)
        return row
