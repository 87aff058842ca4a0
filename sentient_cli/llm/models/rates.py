"""What tokens cost, in whole numbers, so that a sum is exact; compiled once for each model."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from sentient_cli.llm.types import Usage

__all__ = ["FREE", "UNLISTED", "Prices", "Rates", "cost_of", "dollars"]

UNLISTED = frozenset({"ollama", "vllm", "llamacpp", "lmstudio", "compatible", "nvidia"})
"""What no table has prices of, so that it need not be loaded."""
_FEMTO = 10**15
_MILLION = 10**6


class Prices(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The prices of one size of request, in femtodollars (10^-15 US dollars) for a token.

    Args:
        input: A token of the request.
        output: A token of the answer.
        cache_read: A token read from the provider's cache; None: like any other.
        cache_write: A token written to it for minutes; None: like any other.
        cache_write_1h: A token written to it for an hour; None: like one for minutes.
        reasoning: A token of the model's thinking; None: like any other of the answer.
        request: What the request itself costs, in femtodollars.

    Example:
        >>> Prices(input=dollars("2.5"), output=dollars("10")).output
        10000000000
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    request: int = 0


class Rates(msgspec.Struct, frozen=True):
    """What a model costs.

    Args:
        base: The prices of usual requests.
        tiers: Those of long ones: from how many tokens of the request on, not counting that one, the longest first.

    Example:
        >>> rates = Rates(Prices(input=dollars(3), output=dollars(15)))
        >>> rates.input_per_million, rates.output_per_million
        (3.0, 15.0)
    """

    base: Prices
    tiers: tuple[tuple[int, Prices], ...] = ()

    @property
    def input_per_million(self) -> float:
        """US dollars for a million tokens of a usual request."""
        return self.base.input * _MILLION / _FEMTO

    @property
    def output_per_million(self) -> float:
        """US dollars for a million tokens of an answer."""
        return self.base.output * _MILLION / _FEMTO

    def at(self, prompt: int) -> Prices:
        """The prices of a request of so many tokens."""
        for start, prices in self.tiers:
            if prompt > start:
                return prices
        return self.base


FREE = Rates(Prices(input=0, output=0))
"""What costs nothing."""


def dollars(per_million: Decimal | str | int) -> int:
    """A price for a million tokens in US dollars as femtodollars for one.

    Example:
        >>> dollars("0.05")
        50000000
    """
    return round(Decimal(per_million) * (_FEMTO // _MILLION))


def cost_of(usage: Usage, rates: Rates | None) -> float | None:
    """What a call costs, in US dollars; None: its tokens or its price are not known.

    Args:
        usage: Its tokens; what is below zero counts as none, since it comes from outside.
        rates: The prices of its model.

    Example:
        >>> rates = Rates(Prices(input=dollars("2.5"), output=dollars(10), cache_read=dollars("1.25")))
        >>> cost_of(Usage(input=1000, cache_read=4000, output=500), rates)
        0.0125
        >>> cost_of(Usage(input=1000, output=500), None) is None
        True
        >>> cost_of(Usage(input=1000, output=-500), rates)
        0.0025
    """
    if rates is None or usage.input is None or usage.output is None:
        return None
    fresh, output = max(usage.input, 0), max(usage.output, 0)
    read, short, long = max(usage.cache_read or 0, 0), max(usage.cache_write or 0, 0), max(usage.cache_write_1h or 0, 0)
    prices = rates.at(fresh + read + short + long) if rates.tiers else rates.base
    write = prices.input if prices.cache_write is None else prices.cache_write
    thought = min(max(usage.reasoning or 0, 0), output) if prices.reasoning is not None else 0
    total = (
        prices.request
        + fresh * prices.input
        + read * (prices.input if prices.cache_read is None else prices.cache_read)
        + short * write
        + long * (write if prices.cache_write_1h is None else prices.cache_write_1h)
        + (output - thought) * prices.output
        + thought * (prices.reasoning or 0)
    )
    return total / _FEMTO
