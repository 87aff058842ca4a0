"""From settings to a manager of models: providers, policies, prices, budgets, limits and the ledger of usage."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from types import MappingProxyType
from typing import Final

from typing_extensions import override

from sentient_cli.clock import Clock, Ids
from sentient_cli.config.environ import process_environment
from sentient_cli.config.llm import LlmSettings, ProviderSettings, RetrySettings
from sentient_cli.errors import BadRequestError, ConfigError, SentientError
from sentient_cli.host.calls import RunCallHook
from sentient_cli.host.key_stores import StoredKeys
from sentient_cli.host.llm_around import Closing, fitting, guarding, kept_answers, missing_for_filters, outage_policy
from sentient_cli.host.llm_attempts import around_attempts
from sentient_cli.host.llm_endings import Endings
from sentient_cli.host.llm_live import Detected, Detecting
from sentient_cli.host.llm_made import GoingOn, Made, Owner, made_of
from sentient_cli.llm.config.standing import presets_of, standing
from sentient_cli.llm.hooks import CallHook
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.models.prices import PriceBook
from sentient_cli.llm.offline import OfflineProvider
from sentient_cli.llm.offline.load import load_script
from sentient_cli.llm.offline.script import Script
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.providers.factory import is_known, kind_of, offline_provider, provider_factory
from sentient_cli.llm.providers.kinds import KINDS
from sentient_cli.llm.providers.lazy import LazyProvider
from sentient_cli.llm.providers.preloading import modules_of
from sentient_cli.llm.resilience.breaker import BreakerPolicy
from sentient_cli.llm.resilience.deadlines import Deadlines
from sentient_cli.llm.resilience.failover import FailoverPolicy
from sentient_cli.llm.resilience.hedging import HedgePolicy
from sentient_cli.llm.resilience.pipeline import Wrap
from sentient_cli.llm.resilience.policies import ProviderPolicies, ResiliencePolicies
from sentient_cli.llm.resilience.retry import RetryPolicy
from sentient_cli.llm.resilience.targets import Target
from sentient_cli.llm.selection import policies as ranking
from sentient_cli.llm.selection.observed import Observed
from sentient_cli.llm.selection.selector import SLACK, Selector
from sentient_cli.llm.usage.batched import BatchBook
from sentient_cli.llm.usage.budget import Budget, BudgetLimits
from sentient_cli.llm.usage.hook import UsageHook
from sentient_cli.llm.usage.ledger import UsageLedger, ledger_file
from sentient_cli.llm.wire.loading import load

__all__ = ["ConfiguredLLM", "build_llm"]

_WARM: Final = 10.0
"""Seconds that a start waits for connections."""

_logger = logging.getLogger(__name__)


class ConfiguredLLM(LLMManager):
    """The manager that settings describe, with its prices and its ledger."""

    prices: PriceBook
    """What the models in use cost."""
    ledger: UsageLedger | None = None
    """Where usage is written; None: nowhere."""
    closing: Sequence[Callable[[], Awaitable[None]]] = ()
    """What is closed after the providers."""
    warming: Mapping[str, int] = MappingProxyType({})
    """How many connections to each provider stand before there is traffic."""
    missing: Callable[[], SentientError | None] = staticmethod(lambda: None)
    """What filters lack, so that every call would fail."""
    prepare: Callable[[], None] = staticmethod(lambda: None)
    """Looks for the keys that calls are sure to need where they are kept; it may block, and be called twice."""
    retire: Callable[[], None] = staticmethod(lambda: None)
    """Leaves out what rotations of keys have kept and whose grace is over; it may block."""
    going_on: GoingOn
    """Knows its calls that have not ended."""
    made: Made
    """How the settings have made it."""
    owner: Owner
    """Leads what is around its calls to whoever has it."""

    @override
    def exchange(self, other: LLMManager) -> None:
        """The same, with prices, ledger, and what the settings have made.

        Raises:
            TypeError: the other one was not made of settings.
        """
        if not isinstance(other, ConfiguredLLM):
            raise TypeError("A manager that settings describe has more to exchange than others have")
        super().exchange(other)
        self.prices, other.prices = other.prices, self.prices
        self.ledger, other.ledger = other.ledger, self.ledger
        self.closing, other.closing = other.closing, self.closing
        self.missing, other.missing = other.missing, self.missing
        self.prepare, other.prepare = other.prepare, self.prepare
        self.retire, other.retire = other.retire, self.retire
        self.going_on, other.going_on = other.going_on, self.going_on
        self.made, other.made = other.made, self.made
        self.owner, other.owner = other.owner, self.owner
        self.owner.manager, other.owner.manager = self, other

    def check_stand_ins(self) -> None:
        """Find out whether those that stand in for others are of known providers.

        Raises:
            ConfigError: one is not.
        """
        self._directory.check_members()

    @override
    def check_default(self) -> None:
        """The same, with those that stand in for it, and whether the filters have what they need.

        Raises:
            ConfigError: the default model leads nowhere.
            CredentialNotFoundError: a key is missing.
        """
        super().check_default()
        self.check_stand_ins()
        if (error := self.missing()) is not None:
            raise error

    @override
    async def warm(self) -> None:
        """The same, have the prices of the default model read, and look for keys where they are kept."""
        await asyncio.to_thread(self.prepare)
        with contextlib.suppress(SentientError):
            provider, model = self.resolve()
            if modules := modules_of(self.prices.kind(provider.provider_id)):
                await load(lambda: _import(modules))
            await super().warm()
            await self.prices.ready(provider.provider_id, model)
        await asyncio.gather(*(_connect(each, self.warming[each.provider_id]) for each in self._wanted_warm()))

    def _wanted_warm(self) -> list[LazyProvider]:
        wanted = [each for each in self.providers if self.warming.get(each.provider_id)]
        return [each for each in wanted if isinstance(each, LazyProvider)]

    @override
    async def aclose(self) -> None:
        """Close all providers, and write down the last of what was used. May be called twice."""
        async with AsyncExitStack() as stack:
            for close in (*((self.ledger.aclose,) if self.ledger is not None else ()), *self.closing, super().aclose):
                stack.push_async_callback(close)


async def _connect(provider: LazyProvider, count: int) -> None:
    try:
        async with asyncio.timeout(_WARM):
            await provider.warm_up(count)
    except (SentientError, TimeoutError) as error:  # the first call tries again
        why = error.what if isinstance(error, SentientError) else f"It took more than {_WARM:g} s"
        _logger.warning("Connections to the provider %s could not be opened: %s", provider.provider_id, why)


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
    stores: StoredKeys | None = None,
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
        stores: Where keys are kept beside the environment; closed with the manager.

    Raises:
        ConfigError: the script of the offline model is missing or malformed, it has no such model, or a provider is of
            no known kind; or a budget needs the ledger, and there is none.
    """
    _check_budgets(settings)
    environment = process_environment() if environment is None else environment
    kinds = {name: kind_of(name, table) for name, table in settings.providers.items()}
    prices = PriceBook(kinds=kinds)
    ledger = UsageLedger(ledger_file(), prices=prices, clock=clock) if settings.usage else None
    budget, book = _kept(settings, prices, ledger, profile, clock)
    going_on, owner = GoingOn(Endings(prices.kind).asked), Owner()
    told: list[CallHook] = [RunCallHook(), going_on, *hooks]
    if ledger is not None:
        told.append(UsageHook(ledger, profile=profile, clock=clock))
    closing: list[Callable[[], Awaitable[None]]] = [stores.aclose] if stores is not None else []
    observed, slack = Observed(lambda: clock.now_ns() / 1e9), SLACK if settings.context.fit == "off" else math.inf
    selector = Selector(_policy(settings, prices, observed), kinds=kinds, slack=slack)
    manager = ConfiguredLLM(
        _providers(settings, environment, profile, stores, clock, book),
        default_model=settings.model,
        hooks=told,
        clock=clock,
        ids=ids,
        policies=_policies(settings, clock, closing.append),
        groups=settings.groups,
        fallback=settings.fallback,
        choose=selector,
        price=prices.cost,
        around_calls=[
            *guarding(settings, environment, profile, closing.append),
            _detecting(settings, kinds, lambda: owner.manager),
        ],
        around_attempts=[
            *around_attempts(settings, prices, budget, observed, clock, lambda: owner.manager),
            *fitting(settings, lambda: owner.manager),  # outside of budgets: they are asked for what is sent
        ],
        parameters=standing(settings),
        presets=presets_of(settings),
    )
    manager.prices, manager.ledger, manager.closing = prices, ledger, closing
    manager.warming = {name: table.warm_up for name, table in settings.providers.items() if table.warm_up}
    manager.missing = lambda: missing_for_filters(settings, environment, profile)
    if stores is not None:
        manager.prepare = functools.partial(stores.prepare, _sure_providers(settings))
        manager.retire = stores.retire_due
    manager.going_on, manager.owner, manager.made = going_on, owner, made_of(manager)
    owner.manager = manager
    breakers = manager.breakers

    def healthy(target: Target) -> bool:
        return breakers.admits(target.provider.provider_id, target.model)

    selector.healthy = healthy
    return manager


def _sure_providers(settings: LlmSettings) -> list[str]:
    """The providers of the models that settings name for calls."""
    models = [settings.model, *settings.fallback, *(model for group in settings.groups.values() for model in group)]
    return list(dict.fromkeys(model.partition(":")[0] for model in models))


def _detecting(settings: LlmSettings, kinds: Mapping[str, str], manager: Callable[[], LLMManager]) -> Wrap:
    """What asks servers first what their models can do, where they tell."""
    named = {**{name: name for name in KINDS}, **kinds}
    detected = Detected([name for name, kind in named.items() if kind in KINDS and KINDS[kind].tells])
    return lambda inner: Detecting(inner, detected, manager, always=settings.context.fit != "off")


def _kept(
    settings: LlmSettings, prices: PriceBook, ledger: UsageLedger | None, profile: str, clock: Clock
) -> tuple[Budget | None, BatchBook]:
    """The budget of calls and batches alike, and what keeps batches to it."""
    told = settings.budget
    limits = BudgetLimits(call=told.call, session=told.session, day=told.day, profile=told.profile)
    budget = Budget(limits, spending=ledger, profile=profile, clock=clock) if limits else None
    return budget, BatchBook(prices, ledger, budget=budget, profile=profile, clock=clock)


def _check_budgets(settings: LlmSettings) -> None:
    """Budgets of more than a call or a process need the ledger: nothing else knows what was spent.

    Raises:
        ConfigError: they are to do without.
    """
    wanted = [name for name in ("session", "day", "profile") if getattr(settings.budget, name) is not None]
    if settings.usage or not wanted:
        return
    named = " and ".join(f"`llm.budget.{name}`" for name in wanted)
    raise ConfigError(
        f"{named} cannot be kept without the ledger",
        why="With `llm.usage = false` nobody writes down what was spent, so that each process would begin anew",
        fix=f"Set `llm.usage = true`, or leave out {named}; `llm.budget.call` needs no ledger",
    )


def _providers(
    settings: LlmSettings,
    environment: Mapping[str, str],
    profile: str,
    stores: StoredKeys | None,
    clock: Clock,
    book: BatchBook,
) -> list[LLMProvider]:
    script = load_script(settings.script) if settings.script else None
    offline = {name for name, table in settings.providers.items() if kind_of(name, table) == OfflineProvider.ID}
    made: dict[str, LLMProvider] = {}
    for name in sorted({OfflineProvider.ID, *offline}, key=lambda each: each != OfflineProvider.ID):
        if name in offline or name not in settings.providers:
            made[name] = _offline(name, settings, script, clock)
    named = [settings.model, *settings.fallback, *(model for group in settings.groups.values() for model in group)]
    wanted = [name for name in (model.partition(":")[0] for model in named) if name not in settings.groups]
    others = [name for name in wanted if name not in KINDS and name not in settings.providers and is_known(name)]
    known = [name for name in KINDS if name != "compatible"]
    for name in (*settings.providers, *known, *others):
        if name not in made:
            table: ProviderSettings | None = settings.providers.get(name)
            made[name] = provider_factory(
                name, table, environment, profile=profile, stores=stores, clock=clock, batches=book
            )
    taken = next((name for name in settings.groups if name in made), None)
    if taken is not None:
        raise ConfigError(
            f"The group {taken!r:.60} is called like a provider",
            why=f"The model `{taken:.60}` is the default model of that provider, and never the group",
            fix=f"Give the group another name in [llm.groups], and where it is used, such as `{taken:.60}-group`",
        )
    return list(made.values())


def _offline(provider_id: str, settings: LlmSettings, script: Script | None, clock: Clock) -> OfflineProvider:
    offline = offline_provider(provider_id, settings.providers.get(provider_id), script=script, clock=clock)
    provider, _, name = settings.model.partition(":")
    if provider == provider_id and name:
        try:
            offline.check_model(name)
        except BadRequestError as error:
            fix = "Correct `--model` or the setting `llm.model`, or load a script, with which every name works"
            raise ConfigError(error.what, why=error.why, fix=fix) from error
    return offline


def _policies(settings: LlmSettings, clock: Clock, closing: Closing) -> ResiliencePolicies:
    retry, breaker, hedging = settings.retry, settings.breaker, settings.hedging
    own: dict[str, ProviderPolicies] = {}
    for name, table in settings.providers.items():
        bounds = _deadlines(table, settings)
        told = table.retry.model_dump(exclude_none=True) if table.retry is not None else {}
        if bounds is not None or told:
            own[name] = ProviderPolicies(
                retry=_retry(retry.model_copy(update=told)) if told else None, deadlines=bounds
            )
    return ResiliencePolicies(
        retry=_retry(retry),
        breaker=BreakerPolicy(failures=breaker.failures, open_for=breaker.seconds),
        deadlines=Deadlines(total=settings.deadline),
        failover=FailoverPolicy(after_content=settings.failover),
        hedging=HedgePolicy(after=hedging.after, share=hedging.share) if hedging.enabled else None,
        shared=settings.sharing.enabled,
        cache=kept_answers(settings, clock, closing),
        outage=outage_policy(settings, clock, closing),
        retry_share=retry.budget,
        providers=own,
    )


def _deadlines(table: ProviderSettings, settings: LlmSettings) -> Deadlines | None:
    """How long a provider may take, if otherwise than the rest."""
    stall = table.stall_timeout or (4 * table.timeout if table.timeout is not None else None)
    if table.first_token_timeout is None and table.attempt_timeout is None and stall is None:
        return None
    first = table.first_token_timeout or Deadlines().first_token
    return Deadlines(first_token=first, attempt=table.attempt_timeout, total=settings.deadline, stall=stall)


def _retry(told: RetrySettings) -> RetryPolicy:
    return RetryPolicy(attempts=told.attempts, base=told.base, cap=told.cap, strategy=told.strategy, jitter=told.jitter)


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
