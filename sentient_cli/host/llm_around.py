"""What settings put around calls to models: kept answers, filters, and conversations that fit."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from sentient_cli.clock import Clock
from sentient_cli.config.llm import CacheSettings, ContextSettings, LlmSettings, ProviderSettings
from sentient_cli.errors import ConfigError, CredentialHostError, CredentialNotFoundError, ProviderError
from sentient_cli.llm.call import Call, CallOptions
from sentient_cli.llm.context import AskedSummary, ContextManager, Estimate, InContext
from sentient_cli.llm.manager import LLMManager
from sentient_cli.llm.models.facts import facts_of
from sentient_cli.llm.provider import LLMProvider, Request, TokenCount, capabilities_for
from sentient_cli.llm.providers.destinations import destination_of
from sentient_cli.llm.providers.factory import is_known, kind_of, unknown_provider
from sentient_cli.llm.providers.keys import Keys, find_keys, missing_key
from sentient_cli.llm.providers.kinds import KINDS, Kind
from sentient_cli.llm.providers.variables import require_variables
from sentient_cli.llm.resilience.cache import AnswerCache, MemoryCache
from sentient_cli.llm.resilience.outage import OutagePolicy
from sentient_cli.llm.resilience.pipeline import Wrap
from sentient_cli.llm.types import Completion

if TYPE_CHECKING:
    from sentient_cli.llm.safety import Finding, SafetyFilter, Verdict

__all__ = ["Closing", "fitting", "guarding", "kept_answers", "missing_for_filters", "outage_policy"]

_NOT_OF_ANSWERS: Final = {
    *("retry", "breaker", "budget", "cache", "outage", "usage", "deadline", "limit_wait", "strategy", "failover")
}
"""Settings on which no answer depends."""
_OF_MODERATION: Final = {
    "base_url",
    "organization",
    "project",
    "headers",
    "timeout",
    "connect_timeout",
    "proxy",
    "ca_file",
}
_MOST_MODELS: Final = 256

_PLAIN: Final = CallOptions(defaults=False)
"""A summary is asked for in our own way: words to stop at and the like are for answers."""
_is_summary: ContextVar[bool] = ContextVar("_is_summary", default=False)


class Closing(Protocol):
    """Collects what has to be closed with the manager."""

    def __call__(self, close: Callable[[], Awaitable[None]], /) -> None:
        """Have this called."""
        ...


def kept_answers(settings: LlmSettings, clock: Clock, closing: Closing) -> AnswerCache | None:
    """Where answers are kept; None: nowhere.

    Args:
        settings: Those of models.
        clock: What the time is.
        closing: Is told what to close.
    """
    cache = settings.cache
    return _answers(settings, cache, cache.seconds, "answers.db", clock, closing) if cache.enabled else None


def outage_policy(settings: LlmSettings, clock: Clock, closing: Closing) -> OutagePolicy | None:
    """What is done when every model is limited or down; None: nothing.

    Args:
        settings: Those of models.
        clock: What the time is.
        closing: Is told what to close.
    """
    outage = settings.outage
    if not (outage.wait or outage.cached or outage.answer):
        return None
    kept = _answers(settings, settings.cache, outage.cached, "outage.db", clock, closing) if outage.cached else None
    return OutagePolicy(wait=outage.wait, cached=kept, answer=outage.answer or "")


def _answers(
    settings: LlmSettings, cache: CacheSettings, seconds: float, name: str, clock: Clock, closing: Closing
) -> AnswerCache:
    if cache.store == "memory":
        return MemoryCache(seconds, cache.size, clock, count=cache.count)
    from sentient_cli.llm.resilience.answers import SqliteCache  # noqa: PLC0415 - only where there is one
    from sentient_cli.llm.resilience.answers_file import answers_file  # noqa: PLC0415 - the same

    path = answers_file().with_name(name)
    kept = SqliteCache(path, seconds=seconds, most=cache.size, count=cache.count, scope=_scope(settings), clock=clock)
    closing(kept.aclose)
    return kept


def _scope(settings: LlmSettings) -> str:
    """What an answer depends on besides its question: another project's ``mine:small`` is another model."""
    told = hashlib.sha256(settings.model_dump_json(exclude=_NOT_OF_ANSWERS).encode("utf-8", "surrogatepass"))
    if settings.script is not None and settings.script.is_file():
        told.update(settings.script.read_bytes())
    return told.hexdigest()


def guarding(settings: LlmSettings, environment: Mapping[str, str], profile: str, closing: Closing) -> list[Wrap]:
    """The filters around each call; none unless something is looked for.

    A moderation endpoint without a key is an error of each call: nothing passes unseen.

    Args:
        settings: Those of models.
        environment: Where keys are looked for.
        profile: The profile of settings that was chosen.
        closing: Is told what to close.

    Raises:
        ConfigError: the provider of the moderation endpoint is not known.
    """
    safety = settings.safety
    if not (safety.secrets or safety.words or safety.patterns or safety.moderation):
        return []
    from sentient_cli.llm.safety import Guarded, LocalFilter, PatternFilter  # noqa: PLC0415 - seldom

    filters: list[SafetyFilter] = []
    if safety.secrets or safety.words:
        filters.append(LocalFilter(words=safety.words, secrets=safety.secrets))
    if safety.patterns:
        filters.append(PatternFilter(safety.patterns))
    if safety.moderation is not None:
        filters.append(_moderation(safety.moderation, settings, environment, profile, closing))
    return [lambda inner: Guarded(inner, filters, on_finding=safety.on_finding)]


def _moderation(
    name: str, settings: LlmSettings, environment: Mapping[str, str], profile: str, closing: Closing
) -> SafetyFilter:
    from sentient_cli.llm.safety.moderation import ModerationConfig, ModerationFilter  # noqa: PLC0415 - seldom
    from sentient_cli.llm.wire.settings import with_changes  # noqa: PLC0415 - the same

    table = settings.providers.get(name)
    if table is None and not is_known(name):
        raise unknown_provider(name, name)
    keys = _keys_of(name, settings, environment, profile)
    if not keys.found:
        return _Keyless(missing_key(name, keys))
    try:
        require_variables(keys.variables, destination_of(name, table))
    except CredentialHostError as error:
        return _Keyless(error)
    told = table.model_dump(include=_OF_MODERATION, exclude_none=True) if table is not None else {}
    config = with_changes(ModerationConfig(), told, name)
    config = msgspec.structs.replace(config, api_key=keys.found[0], api_keys=keys.found[1:])
    safety = settings.safety
    made = ModerationFilter(config, categories=safety.categories, when_down=safety.when_down)
    closing(made.aclose)
    return made


def _keys_of(name: str, settings: LlmSettings, environment: Mapping[str, str], profile: str) -> Keys:
    table = settings.providers.get(name)
    return find_keys(KINDS.get(kind_of(name, table), Kind()), table, environment, profile=profile)


def missing_for_filters(
    settings: LlmSettings, environment: Mapping[str, str], profile: str
) -> CredentialNotFoundError | None:
    """What the filters lack, so that no call can be answered; None: nothing.

    Args:
        settings: Those of models.
        environment: Where keys are looked for.
        profile: The profile of settings that was chosen.
    """
    name = settings.safety.moderation
    if name is None:
        return None
    keys = _keys_of(name, settings, environment, profile)
    return None if keys.found else missing_key(name, keys)


class _Keyless:
    """Stands for a filter that cannot ask anybody."""

    def __init__(self, error: ConfigError) -> None:
        self._error = error

    @property
    def name(self) -> str:
        return "moderation"

    @property
    def window(self) -> int:
        return 0

    @property
    def step(self) -> int:
        return 1

    async def check_request(self, request: Request) -> Finding | None:
        del request
        raise self._error

    async def check_text(self, text: str, *, is_end: bool) -> Verdict:
        del text, is_end
        raise self._error


def fitting(settings: LlmSettings, manager: Callable[[], LLMManager]) -> list[Wrap]:
    """What keeps conversations within what each model can read; nothing unless the settings want it.

    Args:
        settings: Those of models.
        manager: The manager that is being made.
    """
    if settings.context.fit == "off":
        return []
    contexts = _Contexts(settings, manager)
    return [lambda inner: InContext(inner, contexts.of)]


class _Contexts:
    """A context manager for each model, made when it is first asked."""

    def __init__(self, settings: LlmSettings, manager: Callable[[], LLMManager]) -> None:
        self._settings: ContextSettings = settings.context
        self._tables: Mapping[str, ProviderSettings] = settings.providers
        self._manager = manager
        self._made: dict[tuple[str, str, bool, int | None], ContextManager | None] = {}

    def of(self, request: Request, call: Call) -> ContextManager | None:
        provider = _named(self._manager(), call.provider)
        if provider is None:
            return None
        told = capabilities_for(provider, request.model).max_input_tokens
        key = (call.provider, request.model, _is_summary.get(), told)
        if key not in self._made:
            if len(self._made) >= _MOST_MODELS:
                self._made.clear()
            self._made[key] = self._make(*key)
        return self._made[key]

    def _make(self, provider_id: str, model: str, is_summary: bool, told: int | None) -> ContextManager | None:
        settings = self._settings
        manager = self._manager()
        facts = facts_of(kind_of(provider_id, self._tables.get(provider_id)), model)
        known = facts.context_tokens if facts is not None else told
        wanted = None if is_summary else settings.tokens  # what is summarised is longer than what may be left
        sizes = [size for size in (wanted, known) if size is not None]
        if not sizes:
            return None
        summary: AskedSummary | None = None
        if settings.fit == "summarise" and not is_summary:
            summary = _summary(manager, settings.summary_model or f"{provider_id}:{model}", settings.summary_tokens)
        counter = _Counted(manager, provider_id) if settings.count == "provider" else None
        return ContextManager(min(sizes), counter=counter, reserve=settings.reserve, summariser=summary)


def _named(manager: LLMManager, provider_id: str) -> LLMProvider | None:
    # One that was replaced or taken out may still be asked for a moment.
    return next((each for each in manager.providers if each.provider_id == provider_id), None)


def _summary(manager: LLMManager, model: str, max_tokens: int) -> AskedSummary:
    """Summaries by a model of the manager's, so that they are retried, counted and paid for as any call."""

    async def ask(request: Request) -> Completion:
        token = _is_summary.set(True)
        try:
            return await manager.generate(
                request.messages, model=request.model, parameters=request.parameters, options=_PLAIN
            )
        except ConfigError as error:
            raise ProviderError(error.what, why=error.why, fix=error.fix) from error
        finally:
            _is_summary.reset(token)

    return AskedSummary(ask, model, max_tokens)


class _Counted:
    """Counts as the provider does where it can, and else estimates, with a tenth to spare."""

    def __init__(self, manager: LLMManager, provider_id: str) -> None:
        self._manager = manager
        self._provider_id = provider_id

    async def count_tokens(self, request: Request) -> TokenCount:
        counter = _named(self._manager, self._provider_id) or Estimate()
        try:
            count = await counter.count_tokens(request)
        except ProviderError:
            count = await Estimate().count_tokens(request)
        return count if count.exact else TokenCount(-(-count.tokens * 10 // 9), exact=False)
