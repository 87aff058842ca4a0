"""What batches used, written down as their results are read: each request once, however often that is, at its price."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.llm.batches import BatchResult
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.models.rates import cost_of
from sentient_cli.llm.provider import Request
from sentient_cli.llm.subject import current_subject
from sentient_cli.llm.tokens import USUAL_OUTPUT, tokens_of
from sentient_cli.llm.types import Usage
from sentient_cli.llm.usage.budget import Budget
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

    async def check(self, provider: str, requests: Sequence[Request]) -> None:
        """See whether there is enough left of a budget for a batch, by what it is expected to cost.

        Nothing is set aside: it counts as its results are read. What has no known price counts nothing.

        Args:
            provider: The id of the provider.
            requests: Those of the batch.

        Raises:
            BudgetExceededError: there is not.
        """
        if self._budget is None:
            return
        expected = 0.0
        for request in requests:
            await self._prices.ready(provider, request.model, TIER)
            output = min(request.parameters.max_tokens or USUAL_OUTPUT, USUAL_OUTPUT)
            usage = Usage(input=tokens_of(request), output=output)
            expected += cost_of(usage, self._prices.rates(provider, request.model, TIER)) or 0.0
        reserved = await self._budget.reserve(expected, current_subject.get().session)
        self._budget.settle(reserved, 0.0)

    async def results(
        self, provider: str, batch: str, source: AsyncGenerator[BatchResult, None]
    ) -> AsyncGenerator[BatchResult, None]:
        """The results of a batch, each written down, and with its cost.

        Args:
            provider: The id of the provider.
            batch: The id of the batch.
            source: The results as the provider gives them; closed at the end.
        """
        added = 0
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
                answer = msgspec.structs.replace(answer, cost=cost)
                yield msgspec.structs.replace(result, completion=answer)

    def _row(self, provider: str, batch: str, result: BatchResult, model: str, cost: float | None) -> UsageRow:
        subject = current_subject.get()
        row = UsageRow(
            call=f"{provider}/{batch}/{result.index}",
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
