"""The price table of the day, read when a price is first needed, in a thread: it takes half a second to load.

The numbers are those of the package ``genai-prices`` (https://github.com/pydantic/genai-prices).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sentient_cli.llm.models.rates import FREE, Prices, Rates, cost_of, dollars
from sentient_cli.llm.types import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

__all__ = ["PriceBook", "load_rates", "preload"]

_TABLE_IDS = {"xai": "x-ai", "gemini": "google", "huggingface": "huggingface_together"}
"""Where the table calls a provider differently."""
_MOST = 10_000
"""So many models are remembered; whoever names more begins anew."""
_UNLISTED = frozenset({"ollama", "vllm", "llamacpp", "lmstudio", "compatible", "nvidia"})
"""What no table has prices of, so that it need not be loaded."""
_KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "output_reasoning")

_logger = logging.getLogger(__name__)


def preload() -> None:
    """Load the table now, as a process does that others are forked from."""
    load_rates("openai", "gpt-5")


def load_rates(kind: str, model: str, *, tier: str | None = None, at: datetime | None = None) -> Rates | None:
    """Look a model up in the table; None: it has no price there. Slow, so not for an event loop.

    Args:
        kind: The provider's, such as ``openai``.
        model: As the provider names it.
        tier: The service tier, where its price is another; a name of the provider's, or ``batch``.
        at: When; now otherwise.

    Example:
        >>> rates = load_rates("openai", "gpt-4o")
        >>> rates.input_per_million if rates else None
        2.5
        >>> load_rates("openai", "no-such-model") is None
        True
    """
    if kind == "offline":
        return FREE
    if kind in _UNLISTED:
        return None
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - half a second

    try:
        _, found = get_snapshot().find_provider_model(model, None, _TABLE_IDS.get(kind, kind), None)
        context = None if tier in {None, "default", "auto", "standard"} else {_axis(tier): str(tier)}
        prices = found.get_prices(at or datetime.now(UTC), context)
    except LookupError:
        return None
    return _rates(prices)


def _axis(tier: str | None) -> str:
    return "processing" if tier == "batch" else "service_tier"


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


class PriceBook:
    """The prices of the models in use: read once each, off the event loop, and then at hand.

    Args:
        own: Prices that go before those of the table, by model id (``provider:model``).
        kinds: The kind of each provider that is not called like it, by its id.

    Example:
        >>> import asyncio
        >>> book = PriceBook()
        >>> asyncio.run(book.ready("openai", "gpt-4o"))
        >>> book.cost("openai", "gpt-4o", Usage(input=1_000_000, output=0))
        2.5
    """

    def __init__(self, *, own: Mapping[str, Rates] | None = None, kinds: Mapping[str, str] | None = None) -> None:
        self._own = dict(own or {})
        self._kinds = dict(kinds or {})
        self._known: dict[tuple[str, str, str | None], Rates | None] = {}
        self._fetching: dict[tuple[str, str, str | None], asyncio.Future[Rates | None]] = {}
        self._lock = threading.Lock()

    def kind(self, provider: str) -> str:
        """The kind of a provider."""
        return self._kinds.get(provider, provider)

    def rates(self, provider: str, model: str, tier: str | None = None) -> Rates | None:
        """The prices, if they were read already; never waits."""
        return self._known.get((provider, model, tier)) or self._own.get(f"{provider}:{model}")

    def knows(self, provider: str, model: str, tier: str | None = None) -> bool:
        """Whether the prices were read, or found not to be there."""
        return (provider, model, tier) in self._known or f"{provider}:{model}" in self._own

    def cost(self, provider: str, model: str, usage: Usage, tier: str | None = None) -> float | None:
        """What tokens cost, in US dollars; None: it is not known, or not read yet."""
        return cost_of(usage, self.rates(provider, model, tier))

    def read(self, provider: str, model: str, tier: str | None = None) -> Rates | None:
        """Read the prices. Slow the first time, so not for an event loop."""
        if not self.knows(provider, model, tier):
            with self._lock:
                if not self.knows(provider, model, tier):
                    if len(self._known) >= _MOST:
                        self._known.clear()
                    self._known[provider, model, tier] = self._load(provider, model, tier)
                    self._fetching.pop((provider, model, tier), None)
        return self.rates(provider, model, tier)

    def _load(self, provider: str, model: str, tier: str | None) -> Rates | None:
        try:
            return load_rates(self.kind(provider), model, tier=tier)
        except Exception:  # a price never fails a call
            _logger.warning("The price of %s:%s cannot be read", provider, model, exc_info=True)
            return None

    async def ready(self, provider: str, model: str, tier: str | None = None) -> None:
        """Wait until the prices were read, in a thread."""
        if not self.knows(provider, model, tier):
            if self.kind(provider) in {"offline", *_UNLISTED}:
                self.read(provider, model, tier)
            else:
                await asyncio.to_thread(self.read, provider, model, tier)

    def fetch(self, provider: str, model: str, tier: str | None = None) -> None:
        """Have the prices read in a thread, without waiting; without an event loop they are read now."""
        if self.knows(provider, model, tier) or (provider, model, tier) in self._fetching:
            return
        if self.kind(provider) in {"offline", *_UNLISTED}:
            self.read(provider, model, tier)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.read(provider, model, tier)
            return
        self._fetching[provider, model, tier] = loop.run_in_executor(None, self.read, provider, model, tier)
