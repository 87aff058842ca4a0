"""What is done about failures, in one place."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.cache import AnswerCache
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.hedging import HedgePolicy
from sentient_cli.llm.resilience.outage import OutagePolicy
from sentient_cli.llm.resilience.retry import RetryPolicy, RetryStrategy

__all__ = ["ProviderPolicies", "ResiliencePolicies"]


class ProviderPolicies(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider has otherwise than the rest; None: as all have it.

    Args:
        retry: When and how often it is asked again.
        breaker: When its models rest.
        deadlines: How long it may take.
        hedging: When it is asked a second time.

    Example:
        >>> ProviderPolicies(retry=RetryPolicy(attempts=1)).breaker is None
        True
    """

    retry: RetryStrategy | None = None
    breaker: BreakerPolicy | None = None
    deadlines: Deadlines | None = None
    hedging: HedgePolicy | None = None


class ResiliencePolicies(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about failures.

    Args:
        retry: When and how often a model is asked again.
        breaker: When a model rests.
        deadlines: How long things may take.
        failover: When another model takes over.
        hedging: When a model is asked a second time; None: never.
        shared: Whether calls that ask the same at the same time get one answer, unless a call says otherwise.
        cache: Where answers are kept; None: nowhere.
        outage: What is done when every model that could answer is limited or down; None: the error is raised.
        retry_share: Retries for each call to a provider, at most,
        retry_floor: but so many a minute in any case.
        providers: What single providers have otherwise, by id.

    Example:
        >>> patient = ResiliencePolicies(providers={"local": ProviderPolicies(deadlines=Deadlines(first_token=None))})
        >>> patient.retry.attempts, patient.deadlines.first_token
        (3, 60.0)
    """

    retry: RetryStrategy = RetryPolicy()
    breaker: BreakerPolicy = BreakerPolicy()
    deadlines: Deadlines = Deadlines()
    failover: FailoverPolicy = FailoverPolicy()
    hedging: HedgePolicy | None = None
    shared: bool = False
    cache: AnswerCache | None = None
    outage: OutagePolicy | None = None
    retry_share: float = 0.1
    retry_floor: int = 10
    providers: Mapping[str, ProviderPolicies] = msgspec.field(default_factory=dict[str, ProviderPolicies])

    def retry_of(self, provider: str) -> RetryStrategy:
        """When and how often a provider is asked again."""
        own = self.providers.get(provider) if self.providers else None
        return self.retry if own is None or own.retry is None else own.retry

    def breaker_of(self, provider: str) -> BreakerPolicy:
        """When a provider's models rest."""
        own = self.providers.get(provider) if self.providers else None
        return self.breaker if own is None or own.breaker is None else own.breaker

    def deadlines_of(self, provider: str) -> Deadlines:
        """How long a provider may take."""
        own = self.providers.get(provider) if self.providers else None
        return self.deadlines if own is None or own.deadlines is None else own.deadlines

    def hedging_of(self, provider: str) -> HedgePolicy | None:
        """When a provider is asked a second time."""
        own = self.providers.get(provider) if self.providers else None
        return self.hedging if own is None or own.hedging is None else own.hedging
