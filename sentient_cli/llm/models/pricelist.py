"""Look prices up in the table of the day, as the package ``genai-prices`` brings it; half a second the first time.

Nothing imports this module by name but where a price is asked: what it imports is much, for a type checker too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from sentient_cli.llm.models.rates import FREE, UNLISTED, Prices, Rates, dollars

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

__all__ = ["load_rates", "preload"]

_TABLE_IDS = {"xai": "x-ai", "gemini": "google", "huggingface": "huggingface_together"}
"""Where the table calls a provider differently."""
_USUAL = frozenset({"auto", "default", "standard", "standard_only", "on_demand"})
"""What vendors call the tier that is none."""
_BATCHES = frozenset({"openai", "anthropic"})
"""Who bills batches at half the usual price, where the table has no price of its own for them:
https://developers.openai.com/api/docs/guides/batch, https://platform.claude.com/docs/en/about-claude/pricing."""
_KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "output_reasoning")


def preload() -> None:
    """Load the table now, as a process does that others are forked from."""
    load_rates("openai", "gpt-5")


def load_rates(kind: str, model: str, tier: str | None = None, *, at: datetime | None = None) -> Rates | None:
    """Look a model up in the table; None: it has no price there. Slow, so not for an event loop.

    Args:
        kind: The provider's, such as ``openai``.
        model: As the provider names it.
        tier: The service tier, by a name of the provider's, or ``batch``. Where the table has no price for it, there is
            none.
        at: When; now otherwise.

    Example:
        >>> rates = load_rates("openai", "gpt-4o")
        >>> rates.input_per_million if rates else None
        2.5
        >>> rates = load_rates("openai", "gpt-4o", "batch")
        >>> rates.input_per_million if rates else None
        1.25
        >>> load_rates("openai", "no-such-model") is None
        True
    """
    if kind == "offline":
        return FREE
    if kind in UNLISTED:
        return None
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - half a second

    try:
        _, found = get_snapshot().find_provider_model(model, None, _TABLE_IDS.get(kind, kind), None)
    except LookupError:
        return None
    moment = at or datetime.now(UTC)
    if tier is None or tier in _USUAL:
        return _rates(found.get_prices(moment))
    context = {"processing" if tier == "batch" else "service_tier": tier}
    # A tier that the table does not have of this model has a price that nobody knows here.
    is_known = any(
        variant.when == context and (variant.constraint is None or variant.constraint.active(moment))
        for variant in found.price_variants or ()
    )
    if is_known:
        return _rates(found.get_prices(moment, context))
    return _half(_rates(found.get_prices(moment))) if tier == "batch" and kind in _BATCHES else None


def _half(rates: Rates | None) -> Rates | None:
    if rates is None:
        return None
    tiers = tuple((start, _halved(prices)) for start, prices in rates.tiers)
    return Rates(_halved(rates.base), tiers)


def _halved(prices: Prices) -> Prices:
    told = {kind: price // 2 for kind, price in msgspec.structs.asdict(prices).items() if price is not None}
    return msgspec.structs.replace(prices, **told)


def _rates(prices: ModelPrice) -> Rates | None:
    told: Mapping[str, object] = vars(prices)
    # What bills by minutes, characters or images is none of ours.
    if told.get("input_mtok") is None or told.get("output_mtok") is None:
        return None
    starts = sorted({start for kind in _KINDS for start, _ in _tiers(told.get(f"{kind}_mtok"))}, reverse=True)
    tiers = tuple((start, made) for start in starts if (made := _prices(told, start)) is not None)
    base = _prices(told, None)
    return None if base is None else Rates(base, tiers)


def _prices(told: Mapping[str, object], start: int | None) -> Prices | None:
    found = {kind: _price(told.get(f"{kind}_mtok"), start) for kind in _KINDS}
    request = told.get("requests_kcount")
    if found["input"] is None or found["output"] is None:
        return None
    return Prices(
        input=found["input"],
        output=found["output"],
        cache_read=found["cache_read"],
        cache_write=found["cache_write"],
        cache_write_1h=found["cache_write_1h"],
        reasoning=found["output_reasoning"],
        request=dollars(request * 1000) if isinstance(request, Decimal) else 0,
    )


def _tiers(price: object) -> list[tuple[int, Decimal]]:
    from genai_prices.types import TieredPrices  # noqa: PLC0415 - it is loaded already

    return [(tier.start, tier.price) for tier in price.tiers] if isinstance(price, TieredPrices) else []


def _price(price: object, start: int | None) -> int | None:
    if price is None:
        return None
    if isinstance(price, Decimal):
        return dollars(price)
    reached = [each for begin, each in sorted(_tiers(price)) if start is not None and begin <= start]
    base: object = getattr(price, "base", None)
    chosen = reached[-1] if reached else base
    return dollars(chosen) if isinstance(chosen, Decimal) else None
