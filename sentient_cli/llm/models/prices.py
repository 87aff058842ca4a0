"""The prices of the models in use, read when one is first needed, in a thread: the table takes half a second to load.

The numbers are those of the package ``genai-prices`` (https://github.com/pydantic/genai-prices).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from sentient_cli.llm.models.rates import UNLISTED, Rates, cost_of
from sentient_cli.llm.types import Usage

__all__ = ["PriceBook"]

_MOST = 10_000
"""So many models are remembered; whoever names more begins anew."""
_PRICELIST = "sentient_cli.llm.models.pricelist"
"""By name: a type checker that looks at an agent would read 300 modules behind it."""

_logger = logging.getLogger(__name__)


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
        self._has_table = False

    def kind(self, provider: str) -> str:
        """The kind of a provider."""
        return self._kinds.get(provider, provider)

    def rates(self, provider: str, model: str, tier: str | None = None) -> Rates | None:
        """The prices, if they were read already; never waits."""
        return self._known.get((provider, model, tier)) or self._own.get(f"{provider}:{model}")

    def knows(self, provider: str, model: str, tier: str | None = None) -> bool:
        """Whether the prices were read, or found not to be there."""
        return (provider, model, tier) in self._known or f"{provider}:{model}" in self._own

    def used(self, provider: str, model: str, tier: str | None = None) -> Rates | None:
        """The prices of the tier that a call was answered in, which may not be the one that was asked for.

        With the table at hand they are read now, once, in less than a millisecond.
        """
        if tier is not None and self._has_table and not self.knows(provider, model, tier):
            return self.read(provider, model, tier)
        return self.rates(provider, model, tier)

    def cost(self, provider: str, model: str, usage: Usage, tier: str | None = None) -> float | None:
        """What tokens cost, in US dollars; None: it is not known, or not read yet."""
        return cost_of(usage, self.used(provider, model, tier))

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
            load_rates = cast("Callable[[str, str, str | None], Rates | None]", import_module(_PRICELIST).load_rates)
            found = load_rates(self.kind(provider), model, tier)
        except Exception:  # a price never fails a call
            _logger.warning("The price of %s:%s cannot be read", provider, model, exc_info=True)
            return None
        self._has_table = self._has_table or self.kind(provider) not in {"offline", *UNLISTED}
        return found

    async def ready(self, provider: str, model: str, tier: str | None = None) -> None:
        """Wait until the prices were read, in a thread."""
        if not self.knows(provider, model, tier):
            if self.kind(provider) in {"offline", *UNLISTED}:
                self.read(provider, model, tier)
            else:
                await asyncio.to_thread(self.read, provider, model, tier)

    def fetch(self, provider: str, model: str, tier: str | None = None) -> None:
        """Have the prices read in a thread, without waiting; without an event loop they are read now."""
        if self.knows(provider, model, tier) or (provider, model, tier) in self._fetching:
            return
        if self.kind(provider) in {"offline", *UNLISTED}:
            self.read(provider, model, tier)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.read(provider, model, tier)
            return
        self._fetching[provider, model, tier] = loop.run_in_executor(None, self.read, provider, model, tier)
