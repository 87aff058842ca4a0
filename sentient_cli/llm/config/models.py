"""The models that settings name for calls, and what each does not take of the parameters."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sentient_cli.config.llm import LlmSettings, ProviderSettings
from sentient_cli.llm.config.checking import conflicts
from sentient_cli.llm.config.conflict import Conflict
from sentient_cli.llm.config.standing import standing
from sentient_cli.llm.parameters import Parameters

__all__ = ["ModelConflict", "conflicts_of", "named_models", "shape_of"]

_DECISIVE = frozenset({"api", "api_version", "max_tokens"})
"""Options of a provider that decide what it takes."""


class ModelConflict(msgspec.Struct, frozen=True):
    """A parameter that one of the models does not take as it is given.

    Args:
        model: The model id, as the settings name it.
        conflict: Which, why, and what to do.

    Example:
        >>> from sentient_cli.config.llm import LlmSettings, ProviderSettings
        >>> (found,) = conflicts_of(LlmSettings(model="openai:gpt-5-mini", preset="precise"))
        >>> found.model, found.conflict.parameter
        ('openai:gpt-5-mini', 'temperature')
    """

    model: str
    conflict: Conflict


def named_models(settings: LlmSettings) -> Sequence[str]:
    """The model ids of calls that name none, in the order in which they are asked.

    Args:
        settings: Those of models.

    Example:
        >>> named_models(LlmSettings(model="both", groups={"both": ("openai", "anthropic")}, fallback=("offline",)))
        ['openai', 'anthropic', 'offline']
    """
    wanted = (settings.model, *settings.fallback)
    return list(dict.fromkeys(model for name in wanted for model in settings.groups.get(name, (name,))))


def conflicts_of(settings: LlmSettings, parameters: Parameters | None = None) -> Sequence[ModelConflict]:
    """What the models that settings name do not take of the parameters.

    Args:
        settings: Those of models.
        parameters: What is given, in the place of what the settings say.

    Raises:
        ConfigError: there is no such preset, or a parameter cannot be sent.

    Example:
        >>> settings = LlmSettings(model="anthropic:claude-haiku-4-5", fallback=("openai:gpt-4.1",))
        >>> for each in conflicts_of(settings, Parameters(seed=7)):
        ...     print(each.model, each.conflict)
        anthropic:claude-haiku-4-5 `seed` = 7 is left out: the provider has no such parameter
    """
    told = standing(settings) if parameters is None else parameters
    return [ModelConflict(name, each) for name in named_models(settings) for each in _of_model(settings, name, told)]


def _of_model(settings: LlmSettings, name: str, parameters: Parameters) -> Sequence[Conflict]:
    provider, _, model = name.partition(":")
    table = settings.providers.get(provider)
    kind = table.kind if table is not None and table.kind else provider
    default = (table.default_model if table is not None else None) or ""
    return conflicts(parameters, kind, model or default, options=table.options if table is not None else {})


def shape_of(settings: LlmSettings) -> LlmSettings:
    """Only what decides about conflicts: which models are asked, and of what kind their providers are."""
    providers = {
        name: ProviderSettings(
            kind=table.kind,
            default_model=table.default_model,
            options={option: value for option, value in table.options.items() if option in _DECISIVE},
        )
        for name, table in settings.providers.items()
    }
    return LlmSettings(model=settings.model, fallback=settings.fallback, groups=settings.groups, providers=providers)
