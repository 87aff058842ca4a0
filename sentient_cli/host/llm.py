"""From settings to a manager of models: providers, policies, prices, budgets, limits and the ledger of usage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from sentient_cli.clock import Clock, Ids
from sentient_cli.config.environ import process_environment
from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.errors import BadRequestError, ConfigError
from sentient_cli.host.calls import RunCallHook
from sentient_cli.llm.call import Answering, Call
from sentient_cli.llm.hooks import CallHook
from sentient_cli.llm.limits.limiter import Limited, Limiter
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.offline import OfflineProvider
from sentient_cli.llm.offline.load import load_script
from sentient_cli.llm.provider import LLMProvider, RateLimits, Request
from sentient_cli.llm.providers.factory import is_known, kind_of, provider_factory
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.cache import MemoryCache
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.pipeline import Wrap
from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.selection import policies as ranking
from sentient_cli.llm.selection.observed import Observed, Observing
from sentient_cli.llm.selection.selector import Selector
from sentient_cli.llm.types import Chunk
from sentient_cli.llm.usage.budget import Budget, BudgetLimits
from sentient_cli.llm.usage.budgeted import Budgeted
from sentient_cli.llm.usage.hook import UsageHook
from sentient_cli.llm.usage.ledger import UsageLedger, ledger_file

__all__ = ["ConfiguredLLM", "build_llm"]

_NEEDS_WATCHING = frozenset({"latency", "least-busy", "cheapest", "complexity"})


class ConfiguredLLM(LLMManager):
    """The manager that settings describe, with its prices and its ledger."""

    prices: PriceBook
    """What the models in use cost."""
    ledger: UsageLedger | None = None
    """Where usage is written; None: nowhere."""

    async def aclose(self) -> None:
        """Close all providers, and write down the last of what was used. May be called twice."""
        try:
            await super().aclose()
        finally:
            if self.ledger is not None:
                await self.ledger.aclose()


def build_llm(
    settings: LlmSettings,
    clock: Clock,
    ids: Ids,
    *,
    environment: Mapping[str, str] | None = None,
    profile: str = "default",
    hooks: Sequence[CallHook] = (),
) -> ConfiguredLLM:
    """The manager that agents use, with what it does in a run written to the run's log.

    A provider that is known by name needs no settings, only its key in the environment; none is loaded before it is
    asked something.

    Args:
        settings: Those of models.
        clock: What the time is.
        ids: Where the ids of calls come from.
        environment: Where keys are looked for; that of the process unless given.
        profile: The profile of settings that was chosen.
        hooks: Who else is told about calls.

    Raises:
        ConfigError: the script of the offline model is missing or malformed, it has no such model, or a provider is of
            no known kind.
    """
    environment = process_environment() if environment is None else environment
    kinds = {name: kind_of(name, table) for name, table in settings.providers.items()}
    prices = PriceBook(kinds=kinds)
    ledger = UsageLedger(ledger_file(), prices=prices, clock=clock) if settings.usage else None
    told = [RunCallHook(), *hooks, *([UsageHook(ledger, profile=profile, clock=clock)] if ledger else [])]
    observed = Observed()
    selector = Selector(_policy(settings, prices, observed), kinds=kinds)
    manager = ConfiguredLLM(
        _providers(settings, environment, profile, clock),
        default_model=settings.model,
        hooks=told,
        clock=clock,
        ids=ids,
        policies=_policies(settings, clock),
        groups=settings.groups,
        fallback=settings.fallback,
        choose=selector,
        price=prices.cost,
        around_attempts=_around(settings, prices, ledger, observed, profile, clock, lambda: manager),
    )
    manager.prices, manager.ledger = prices, ledger
    breakers = manager.breakers

    def healthy(target: Target) -> bool:
        return breakers.admits(target.provider.provider_id, target.model)

    selector.healthy = healthy
    return manager


def _providers(settings: LlmSettings, environment: Mapping[str, str], profile: str, clock: Clock) -> list[LLMProvider]:
    made: dict[str, LLMProvider] = {OfflineProvider.ID: _offline(settings, clock)}
    named = [settings.model, *settings.fallback, *(model for group in settings.groups.values() for model in group)]
    wanted = [name for name in (model.partition(":")[0] for model in named) if name not in settings.groups]
    others = [name for name in wanted if name not in KINDS and name not in settings.providers and is_known(name)]
    known = [name for name in KINDS if name != "compatible"]
    for name in (*settings.providers, *known, *others):
        if name not in made:
            table: ProviderSettings | None = settings.providers.get(name)
            made[name] = provider_factory(name, table, environment, profile=profile, clock=clock)
    return list(made.values())


def _offline(settings: LlmSettings, clock: Clock) -> OfflineProvider:
    offline = OfflineProvider(load_script(settings.script) if settings.script else None, clock=clock)
    provider, _, name = settings.model.partition(":")
    if provider == OfflineProvider.ID and name:
        try:
            offline.check_model(name)
        except BadRequestError as error:
            fix = "Correct `--model` or the setting `llm.model`, or load a script, with which every name works"
            raise ConfigError(error.what, why=error.why, fix=fix) from error
    return offline


def _policies(settings: LlmSettings, clock: Clock) -> ResiliencePolicies:
    retry, breaker, cache = settings.retry, settings.breaker, settings.cache
    own: dict[str, ProviderPolicies] = {}
    for name, table in settings.providers.items():
        if table.first_token_timeout is not None or table.attempt_timeout is not None:
            first = table.first_token_timeout or Deadlines().first_token
            bounds = Deadlines(first_token=first, attempt=table.attempt_timeout, total=settings.deadline)
            own[name] = ProviderPolicies(deadlines=bounds)
    return ResiliencePolicies(
        retry=RetryPolicy(attempts=min(retry.attempts, 20), base=retry.base, cap=retry.cap),
        breaker=BreakerPolicy(failures=breaker.failures, open_for=breaker.seconds),
        deadlines=Deadlines(total=settings.deadline),
        failover=FailoverPolicy(after_content=settings.failover),
        cache=MemoryCache(cache.seconds, cache.size, clock) if cache.enabled else None,
        retry_share=retry.budget,
        providers=own,
    )


def _policy(settings: LlmSettings, prices: PriceBook, observed: Observed) -> ranking.Policy:
    cheapest = ranking.Cheapest(prices, observed)
    weights = {name: float(table.weight) for name, table in settings.providers.items() if table.weight is not None}
    made: dict[str, Callable[[], ranking.Policy]] = {
        "round-robin": ranking.RoundRobin,
        "weighted": lambda: ranking.Weighted(weights),
        "latency": lambda: ranking.LeastLatency(observed),
        "least-busy": lambda: ranking.LeastBusy(observed),
        "cheapest": lambda: cheapest,
        "complexity": lambda: ranking.Complexity(cheapest),
        "sticky": ranking.Sticky,
    }
    return made.get(settings.strategy, ranking.InOrder)()


def _around(
    settings: LlmSettings,
    prices: PriceBook,
    ledger: UsageLedger | None,
    observed: Observed,
    profile: str,
    clock: Clock,
    manager: Callable[[], LLMManager],
) -> list[Wrap]:
    """What is around each attempt, the innermost first."""
    around: list[Wrap] = []
    if settings.strategy in _NEEDS_WATCHING:
        around.append(lambda inner: Observing(inner, observed, lambda: clock.now_ns() / 1e9))
    limits = _Limits(settings, clock, manager)
    around.append(lambda inner: Limited(inner, limits.of, told=limits.told))
    budget = settings.budget
    allowed = BudgetLimits(call=budget.call, session=budget.session, day=budget.day, profile=budget.profile)
    if allowed:
        kept = Budget(allowed, spending=ledger, profile=profile, clock=clock)
        around.append(lambda inner: Budgeted(inner, kept, prices))
    else:
        around.append(lambda inner: _Priced(inner, prices))
    return around


class _Priced:
    """Has the price of a model read by the time that its answer is there."""

    __slots__ = ("_inner", "_prices")

    def __init__(self, inner: Answering, prices: PriceBook) -> None:
        self._inner = inner
        self._prices = prices

    def stream(self, request: Request, call: Call) -> AsyncGenerator[Chunk, None]:
        self._prices.fetch(call.provider, request.model)
        return self._inner.stream(request, call)


class _Limits:
    """The limits of all providers that are reached over a network."""

    def __init__(self, settings: LlmSettings, clock: Clock, manager: Callable[[], LLMManager]) -> None:
        self._settings = settings
        self._clock = clock
        self._manager = manager
        self._limiters: dict[str, Limiter] = {}

    def of(self, provider: str) -> Limiter | None:
        if provider == OfflineProvider.ID:
            return None
        limiter = self._limiters.get(provider)
        if limiter is None:
            table = self._settings.providers.get(provider) or ProviderSettings()
            limits = RateLimits(table.requests_per_minute, table.tokens_per_minute)
            limiter = self._limiters[provider] = Limiter(limits, clock=self._clock)
        return limiter

    def told(self, provider: str) -> Mapping[str, str]:
        found = next((each for each in self._manager().providers if each.provider_id == provider), None)
        told: object = getattr(found, "limits", None)
        return told if isinstance(told, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]
