"""Whatever answers, kept to a budget."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import msgspec

from sentient_cli.errors import BudgetExceededError
from sentient_cli.llm.assembly import tier_told
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.models.facts import facts_of
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.models.rates import Rates, cost_of
from sentient_cli.llm.provider import Request
from sentient_cli.llm.resilience.waste import wasted_usage
from sentient_cli.llm.tokens import USUAL_OUTPUT, tokens_of, written_in
from sentient_cli.llm.types import Chunk, Usage
from sentient_cli.llm.usage.budget import Budget, Reserved
from sentient_cli.llm.usage.rows import bounded_usage

__all__ = ["Budgeted"]

_LEAST_OUTPUT: Final = 16
"""An answer that may have fewer tokens is not worth asking for."""
_USUAL_MOST: Final = 32_768
"""Tokens that an answer of a model nobody knows may have."""


class Budgeted:
    """Sends a request on if it can be paid for, and counts what it cost.

    Stands around one provider, so that a call that is too dear for one model may go to a cheaper one.

    Args:
        inner: What answers.
        budget: What may be spent.
        prices: What tokens cost.
    """

    __slots__ = ("_budget", "_inner", "_prices")

    def __init__(self, inner: Answering, budget: Budget, prices: PriceBook) -> None:
        self._inner = inner
        self._budget = budget
        self._prices = prices

    async def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        """Answer, if the budget allows.

        Raises:
            BudgetExceededError: it does not; nothing was sent.
            ProviderError: of the class that fits.
        """
        provider, tier = call.provider, request.parameters.service_tier
        await self._prices.ready(provider, request.model, tier)
        rates = self._prices.rates(provider, request.model, tier)
        if rates is None:
            unknown = f"The price of {provider}:{request.model} is not known: the budget does not count this call"
            call.note(unknown, passing=True)
            reserved = await self._reserve(0.0, call)
        else:
            request, amount = self._bounded(request, rates, call)
            reserved = await self._reserve(amount, call)
        whole = call.origin or call
        usage: Usage | None = None
        written, finished, used = 0, False, tier
        call.lost = None
        source = self._inner.stream(request, call)
        try:
            async for chunk in source:
                written += written_in(chunk)
                if chunk.usage is not None:
                    usage = chunk.usage
                if chunk.extra is not None:
                    used = tier_told(chunk.extra) or used
                if chunk.finish_reason is not None:
                    finished = True
                yield chunk
        finally:
            if used != tier:
                rates = self._prices.used(provider, request.model, used)
            # Who leaves before its first content pays for what was asked, and so does who waits for it too long.
            taken = usage or call.used or call.lost
            cost = self._cost(request, rates, taken, written, finished=finished)
            whole.set_aside = max(0.0, whole.set_aside - reserved.amount)
            whole.spent += cost
            for warning in self._budget.settle(reserved, cost):
                call.note(warning.text, passing=True)
            await source.aclose()

    async def _reserve(self, amount: float, call: Call) -> Reserved:
        whole = call.origin or call
        before = whole.spent + whole.set_aside
        # Set aside at once, so that another attempt at the same time does not count on it.
        whole.set_aside += amount
        try:
            return await self._budget.reserve(amount, call.subject.session, before=before)
        except BaseException as error:
            whole.set_aside = max(0.0, whole.set_aside - amount)
            if isinstance(error, BudgetExceededError):
                error.provider = call.provider
            raise

    def _bounded(self, request: Request, rates: Rates, call: Call) -> tuple[Request, float]:
        """The request with an answer that can be paid for, and what it may cost."""
        asked = tokens_of(request)
        bound = request.parameters.max_tokens
        if self._budget.limits.call is None:
            expected = min(bound or USUAL_OUTPUT, USUAL_OUTPUT)
            return request, cost_of(Usage(input=asked, output=expected), rates) or 0.0
        facts = facts_of(self._prices.kind(call.provider), request.model)
        most = bound or (facts.output_tokens if facts is not None else None) or _USUAL_MOST
        whole = call.origin or call
        affordable = _affordable(rates, asked, self._budget.limits.call - whole.spent - whole.set_aside)
        if _LEAST_OUTPUT <= affordable < most:
            if bound is not None:
                call.note(f"The answer may have {affordable} tokens, not {bound}: that is the budget of a call")
            most = affordable
            parameters = msgspec.structs.replace(request.parameters, max_tokens=most)
            request = msgspec.structs.replace(request, parameters=parameters)
        return request, cost_of(Usage(input=asked, output=most), rates) or 0.0

    def _cost(
        self, request: Request, rates: Rates | None, usage: Usage | None, written: int, *, finished: bool
    ) -> float:
        if usage is None and not written:
            return 0.0  # it came to nothing
        if usage is None or usage.total is None or not finished:
            usage = wasted_usage(request, usage, written)
        return cost_of(bounded_usage(usage), rates) or 0.0


def _affordable(rates: Rates, asked: int, limit: float) -> int:
    """The tokens of an answer that are left of a limit."""
    prices = rates.at(asked)
    left = limit * 10**15 - prices.request - asked * prices.input
    return 2**31 - 1 if prices.output == 0 else max(0, int(left // prices.output))
