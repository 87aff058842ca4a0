"""Makes a provider of a name and its settings: of a kind that comes with this package, or of somebody else's.

Somebody else's is an entry point of the group ``sentient.providers``: its name is the kind, and it is called as
`ThirdParty` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import msgspec

from sentient_cli.clock import Clock
from sentient_cli.config.keys import nearest
from sentient_cli.config.llm import ProviderSettings
from sentient_cli.config.secret import Secret
from sentient_cli.errors import BadRequestError, ConfigError
from sentient_cli.llm.provider import LLMProvider
from sentient_cli.llm.providers.keys import Keys, KeyStores, Looked, find_keys, missing_key, say_where
from sentient_cli.llm.providers.kinds import KINDS, Kind
from sentient_cli.llm.providers.lazy import BatchWatch, LazyProvider
from sentient_cli.llm.providers.third_party import ThirdParty, made_by
from sentient_cli.llm.types import JsonValue

if TYPE_CHECKING:
    from sentient_cli.llm.offline import OfflineProvider
    from sentient_cli.llm.offline.script import Script
    from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = [
    "ENTRY_POINTS",
    "ThirdParty",
    "is_known",
    "kind_of",
    "offline_provider",
    "provider_factory",
    "unknown_provider",
]

ENTRY_POINTS: Final = "sentient.providers"
_AROUND: Final = frozenset(
    {"first_token_timeout", "attempt_timeout", "requests_per_minute", "tokens_per_minute", "warm_up"}
)
"""Settings of what is around a provider."""
_NOT_FOR_PROVIDERS: Final = _AROUND | {"kind", "api_key_env", "weight", "options", "retry"}
_OURS: Final = frozenset({"openai", "anthropic"})

C = TypeVar("C", bound="RemoteConfig")
Changes: TypeAlias = dict[str, JsonValue | Secret]


def kind_of(provider_id: str, settings: ProviderSettings | None) -> str:
    """The kind of a provider: what its settings say, else its id."""
    return settings.kind if settings is not None and settings.kind else provider_id


def is_known(provider_id: str) -> bool:
    """Whether there is a provider of this id without any settings.

    Example:
        >>> is_known("groq"), is_known("grok")
        (True, False)
    """
    return provider_id in KINDS or provider_id in _third_parties()


@cache
def _third_parties() -> Mapping[str, Callable[[], ThirdParty]]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads about every installed package

    return {point.name: point.load for point in entry_points(group=ENTRY_POINTS)}


def provider_factory(
    provider_id: str,
    settings: ProviderSettings | None,
    environment: Mapping[str, str],
    *,
    api_key: Secret | None = None,
    profile: str = "default",
    stores: KeyStores | None = None,
    clock: Clock | None = None,
    batches: BatchWatch | None = None,
) -> LazyProvider:
    """A provider, which is made when it is first used.

    Args:
        provider_id: What it is called: the first part of its model ids.
        settings: Its table in the settings, if it has one.
        environment: The variables, for its key.
        api_key: A key that goes before all others.
        profile: The profile that was chosen, for what is said about keys.
        stores: Where keys are kept beside the variables.
        clock: What the time is.
        batches: Looks at its batches.

    Raises:
        ConfigError: there is no such kind.

    Example:
        >>> provider = provider_factory("groq", None, {})
        >>> provider.is_made
        False
        >>> provider.config
        Traceback (most recent call last):
        ...
        sentient_cli.errors.CredentialNotFoundError: ...GROQ_API_KEY...
    """
    name = kind_of(provider_id, settings)
    kind = KINDS.get(name)
    if kind is None:
        third = _third_parties().get(name)
        if third is None:
            raise unknown_provider(provider_id, name)
        return LazyProvider(
            provider_id,
            lambda: made_by(name, third, provider_id, _table(settings), environment),
            batches=batches,
            is_foreign=True,
        )
    keys = find_keys(kind, settings, environment, given=api_key, profile=profile)
    looked = Looked(provider_id, settings, keys, stores)
    return LazyProvider(
        provider_id,
        lambda: _make(provider_id, name, kind, settings, looked, clock),
        say_where=lambda error: say_where(error, looked.keys),
        batches=batches,
        bounds_silence=True,
    )


def unknown_provider(provider_id: str, kind: str) -> ConfigError:
    """The error of a provider that is of no known kind.

    Args:
        provider_id: What it is called.
        kind: The kind that it would be of.
    """
    known = [*KINDS, *_third_parties()]
    near = nearest(kind, known)
    hint = f"Did you mean `{near}`? " if near else ""
    why = f"Known kinds: {', '.join(sorted(known))}"
    if kind != provider_id:
        return ConfigError(
            f"There is no kind of provider {kind!r:.60}, which {provider_id!r:.60} would be",
            why=why,
            fix=f"{hint}Correct `kind` in [llm.providers.{provider_id[:60]}], or install the package that has it",
        )
    return ConfigError(
        f"There is no provider {provider_id!r:.60}",
        why=why,
        fix=f"{hint}Write model ids as `provider:model`, or describe it in [llm.providers.{provider_id[:60]}]"
        " with `kind`. The model `offline` needs no key and no network",
    )


def _table(settings: ProviderSettings | None) -> dict[str, JsonValue]:
    return settings.model_dump(mode="json", exclude_unset=True) if settings is not None else {}


def _changes(provider_id: str, settings: ProviderSettings | None) -> Changes:
    if settings is not None:
        _require_own_options(provider_id, settings)
    told = settings.model_dump(exclude_unset=True, exclude=set(_NOT_FOR_PROVIDERS)) if settings is not None else {}
    changes: Changes = {name: value for name, value in told.items() if value is not None}
    changes.update(settings.options if settings is not None else {})
    return changes


def _require_own_options(provider_id: str, settings: ProviderSettings) -> None:
    """See that nothing stands among the options by which the table would be another than it seems."""
    both = sorted(settings.options.keys() & (type(settings).model_fields.keys() | {"api_key", "api_keys"}))
    if both:
        raise ConfigError(
            f"`{both[0]}` is no option of the provider {provider_id!r:.60}",
            why="Options are what only its kind has",
            fix=f"Write it into [llm.providers.{provider_id[:60]}] itself"
            if both[0] in type(settings).model_fields
            else "Name the variable of its key with `api_key_env`",
        )


def _make(
    provider_id: str, kind: str, about: Kind, settings: ProviderSettings | None, looked: Looked, clock: Clock | None
) -> LLMProvider:
    if kind == "offline":
        return offline_provider(provider_id, settings, clock=clock)
    keys = looked.look()
    if about.needs_key and not keys.found:
        raise missing_key(provider_id, keys)
    changes = _changes(provider_id, settings)
    if kind == "openai":
        return _openai(provider_id, changes, keys)
    if kind == "anthropic":
        return _anthropic(provider_id, changes, keys, clock)
    return _compatible(provider_id, kind, changes, keys)


def offline_provider(
    provider_id: str, settings: ProviderSettings | None, *, script: Script | None = None, clock: Clock | None = None
) -> OfflineProvider:
    """The offline model with its settings.

    Args:
        provider_id: What it is called.
        settings: Its table in the settings, if it has one.
        script: What it answers to what.
        clock: What the time is.

    Raises:
        ConfigError: it has no such setting, or no such default model.

    Example:
        >>> offline_provider("slow", ProviderSettings(options={"tokens_per_second": 40})).config.tokens_per_second
        40.0
    """
    from sentient_cli.llm.offline import OfflineProvider  # noqa: PLC0415 - what is not used is not loaded

    changes = _changes(provider_id, settings)
    if not changes:
        return OfflineProvider(script, clock=clock, provider_id=provider_id)
    from sentient_cli.llm.offline.provider import OfflineConfig  # noqa: PLC0415 - the same
    from sentient_cli.llm.wire.settings import with_changes  # noqa: PLC0415 - the same

    config = with_changes(OfflineConfig(), changes, provider_id)
    made = OfflineProvider(script, config=config, clock=clock, provider_id=provider_id)
    try:
        made.check_model(config.default_model)
    except BadRequestError as error:
        fix = (
            f"Correct `default_model` in [llm.providers.{provider_id[:60]}], or load a script: with it every name works"
        )
        raise ConfigError(error.what, why=error.why, fix=fix) from error
    return made


def _openai(provider_id: str, changes: Changes, keys: Keys) -> LLMProvider:
    from sentient_cli.llm.openai import OpenAIConfig, OpenAIProvider  # noqa: PLC0415 - what is not used is not loaded

    return OpenAIProvider(_configured(OpenAIConfig(), changes, keys, provider_id), provider_id=provider_id)


def _anthropic(provider_id: str, changes: Changes, keys: Keys, clock: Clock | None) -> LLMProvider:
    from sentient_cli.llm.anthropic import AnthropicConfig, AnthropicProvider  # noqa: PLC0415 - the same

    made = _configured(AnthropicConfig(), changes, keys, provider_id)
    return AnthropicProvider(made, provider_id=provider_id, clock=clock)


def _compatible(provider_id: str, kind: str, changes: Changes, keys: Keys) -> LLMProvider:
    from sentient_cli.llm.compatible import CompatibleConfig, CompatibleProvider  # noqa: PLC0415 - the same

    return CompatibleProvider(
        kind, _configured(CompatibleConfig(), changes, keys, provider_id), provider_id=provider_id
    )


def _configured(config: C, changes: Changes, keys: Keys, provider_id: str) -> C:
    from sentient_cli.llm.wire.settings import with_changes  # noqa: PLC0415 - the same

    made = with_changes(config, changes, provider_id)
    return msgspec.structs.replace(made, api_key=next(iter(keys.found), None), api_keys=keys.found[1:])
