"""From settings to a manager of models: providers, policies, prices, budgets, limits and the ledger of usage."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module

from typing_extensions import override

from sentient_cli.clock import Clock, Ids
from sentient_cli.config.environ import process_environment
from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.errors import BadRequestError, ConfigError, SentientError
from sentient_cli.host.calls import RunCallHook
from sentient_cli.host.llm_around import Closing, fitting, guarding, kept_answers, missing_for_filters, outage_policy
from sentient_cli.host.llm_attempts import around_attempts
from sentient_cli.llm.hooks import CallHook
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.offline import OfflineProvider
from sentient_cli.llm.offline.load import load_script
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.providers.factory import is_known, kind_of, provider_factory
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.llm.providers.preloading import modules_of
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.selection import policies as ranking
from sentient_cli.llm.selection.observed import Observed
from sentient_cli.llm.selection.selector import SLACK, Selector
from sentient_cli.llm.usage.hook import UsageHook
from sentient_cli.llm.usage.ledger import UsageLedger, ledger_file
from sentient_cli.llm.wire.loading import load

__all__ = ["ConfiguredLLM", "build_llm"]


class ConfiguredLLM(LLMManager):
    """The manager that settings describe, with its prices and its ledger."""

    prices: PriceBook
    """What the models in use cost."""
    ledger: UsageLedger | None = None
    """Where usage is written; None: nowhere."""
    closing: Sequence[Callable[[], Awaitable[None]]] = ()
    """What is closed after the providers."""
    missing: Callable[[], SentientError | None] = staticmethod(lambda: None)
    """What filters lack, so that every call would fail."""

    @override
    def check_default(self) -> None:
        """The same, and whether the filters have what they need.

        Raises:
            ConfigError: the default model leads nowhere.
            CredentialNotFoundError: a key is missing.
        """
        super().check_default()
        if (error := self.missing()) is not None:
            raise error

    @override
    async def warm(self) -> None:
        """The same, and have the prices of the default model read."""
        with contextlib.suppress(SentientError):
            provider, model = self.resolve()
            if modules := modules_of(self.prices.kind(provider.provider_id)):
                await load(lambda: _import(modules))
            await super().warm()
            await self.prices.ready(provider.provider_id, model)

    @override
    async def aclose(self) -> None:
        """Close all providers, and write down the last of what was used. May be called twice."""
        async with AsyncExitStack() as stack:
            for close in (*((self.ledger.aclose,) if self.ledger is not None else ()), *self.closing, super().aclose):
                stack.push_async_callback(close)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        with contextlib.suppress(Exception):  # a broken package raises whatever it likes; the first call tells
            import_module(module)


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
    closing: list[Callable[[], Awaitable[None]]] = []
    slack = SLACK if settings.context.fit == "off" else math.inf
    selector = Selector(_policy(settings, prices, observed), kinds=kinds, slack=slack)
    manager = ConfiguredLLM(
        _providers(settings, environment, profile, clock),
        default_model=settings.model,
        hooks=told,
        clock=clock,
        ids=ids,
        policies=_policies(settings, clock, closing.append),
        groups=settings.groups,
        fallback=settings.fallback,
        choose=selector,
        price=prices.cost,
        around_calls=guarding(settings, environment, profile, closing.append),
        around_attempts=[
            *around_attempts(settings, prices, ledger, observed, profile, clock, lambda: manager),
            *fitting(settings, lambda: manager),  # outside of budgets: they are asked for what is sent
        ],
    )
    manager.prices, manager.ledger, manager.closing = prices, ledger, closing
    manager.missing = lambda: missing_for_filters(settings, environment, profile)
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


def _policies(settings: LlmSettings, clock: Clock, closing: Closing) -> ResiliencePolicies:
    retry, breaker = settings.retry, settings.breaker
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
        cache=kept_answers(settings, clock, closing),
        outage=outage_policy(settings, clock, closing),
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
