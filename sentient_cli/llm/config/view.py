"""What holds for calls of models: every setting with its unit, its range and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec
from typing_extensions import override

from sentient_cli.config.described import Setting, describe
from sentient_cli.config.keys import all_keys
from sentient_cli.config.llm import BudgetSettings, LlmSettings, RetrySettings
from sentient_cli.config.loading import Loaded
from sentient_cli.config.shown import Shown, shown
from sentient_cli.config.values import Source
from sentient_cli.errors import ConfigurationNotFoundError
from sentient_cli.llm.config.models import ModelConflict, conflicts_of, shape_of
from sentient_cli.llm.config.providers import ProviderView, provider_view
from sentient_cli.llm.config.standing import standing
from sentient_cli.llm.defaults import Overlay, current_use, under
from sentient_cli.llm.parameters import Parameters

__all__ = ["LLMConfig", "LLMSetting"]

_PREFIX = "llm."
_PARAMETERS = "llm.parameters."
_MODEL = "llm.model"


class LLMSetting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of models as it holds.

    Args:
        about: What it is: its name, type, unit, range, default and description.
        value: What holds, without secrets; None: the provider decides, or there is no bound.
        source: The layer and the place that it comes from.

    Example:
        >>> from sentient_cli.config import load
        >>> config = LLMConfig.of(load({"llm.parameters.max_tokens": 300}, environment={}, use_env_file=False))
        >>> str(config["llm.parameters.max_tokens"])
        'llm.parameters.max_tokens = 300 tokens (from 1 to 2147483647), from --max-tokens'
    """

    about: Setting
    value: Shown
    source: Source

    @property
    def range(self) -> str:
        """What it may be, in words; empty: anything of its type."""
        about = self.about
        if about.choices:
            return ", ".join(about.choices)
        low = "" if about.least is None else f"from {about.least}"
        low = low or ("" if about.above is None else f"above {about.above}")
        high = "" if about.most is None else f"to {about.most}"
        return " ".join(part for part in (low, high or ("" if about.below is None else f"below {about.below}")) if part)

    def __str__(self) -> str:
        value = "not set" if self.value is None else msgspec.json.encode(self.value).decode()
        unit = f" {self.about.unit}" if self.about.unit and self.value is not None else ""
        limits = f" ({self.range})" if self.range else ""
        return f"{self.about.name} = {value}{unit}{limits}, from {self.source}"


class LLMConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for calls of models, as the layers of the settings say it. It never changes; others are another.

    Args:
        model: The model id of calls that name none.
        fallback: The model ids to turn to when that one fails.
        preset: The set of parameters that was chosen.
        parameters: What calls get that they leave open.
        deadline: Seconds that a call may take, attempts included; None: any.
        retry: How often a call is tried.
        budget: What may be spent, in US dollars.
        providers: What holds for each provider that has settings or is asked by a model named here.
        settings: Each setting of models by its dotted name.
        shape: What decides which parameters are taken: the models, and the kinds of their providers.

    Example:
        >>> from sentient_cli.config import load
        >>> variables = {"SENTIENT_LLM_PRESET": "precise", "SENTIENT_LLM_MODEL": "anthropic:claude-haiku-4-5"}
        >>> config = LLMConfig.of(load(environment=variables, use_env_file=False))
        >>> config.parameters.temperature, str(config["llm.parameters.temperature"].source)
        (0.0, 'preset precise')
        >>> config.providers["anthropic"].timeout, config.retry.attempts
        (30.0, 3)
        >>> [str(each.conflict) for each in config.conflicts()]
        ['`temperature` = 0.0 is left out: the version 2026-10-21 of the interface refuses it']
    """

    model: str
    fallback: tuple[str, ...]
    preset: str | None
    parameters: Parameters
    deadline: float | None
    retry: RetrySettings
    budget: BudgetSettings
    providers: Mapping[str, ProviderView]
    settings: Mapping[str, LLMSetting]
    shape: LlmSettings

    @classmethod
    def of(cls, loaded: Loaded) -> LLMConfig:
        """What settings say that were loaded.

        Args:
            loaded: All of them, with their sources.

        Raises:
            ConfigError: a parameter cannot be sent.
        """
        told = loaded.settings.llm
        models = [told.model, *told.fallback, *(model for group in told.groups.values() for model in group)]
        named = [name for name in (model.partition(":")[0] for model in models) if name not in told.groups]
        return cls(
            model=told.model,
            fallback=told.fallback,
            preset=told.preset,
            parameters=standing(told),
            deadline=told.deadline,
            retry=told.retry,
            budget=told.budget,
            providers=MappingProxyType({name: provider_view(told, name) for name in (*told.providers, *named)}),
            settings=MappingProxyType(dict(_settings(loaded))),
            shape=shape_of(told),
        )

    def __getitem__(self, name: str) -> LLMSetting:
        """One setting.

        Args:
            name: Its dotted name.

        Raises:
            ConfigurationNotFoundError: there is none with this name.
        """
        if name not in self.settings:
            raise ConfigurationNotFoundError(
                f"There is no setting {name!r:.80} of models", fix="docs/configuration.md lists every setting"
            )
        return self.settings[name]

    def explain(self) -> Sequence[str]:
        """All that is not as it is by default, a line each: the value, its unit and range, and where it comes from.

        Example:
            >>> from sentient_cli.config import load
            >>> for line in LLMConfig.of(load({"llm.deadline": 20}, environment={}, use_env_file=False)).explain():
            ...     print(line)
            llm.deadline = 20.0 seconds (above 0), from --deadline
        """
        return [str(each) for each in self.settings.values() if each.source.layer != "default"]

    @override
    def __repr__(self) -> str:
        return f"<LLMConfig of {self.model}: {'; '.join(self.explain()) or 'as by default'}>"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        # What is sent in a call may hold what nobody else should see.
        return [("model", self.model), ("explain", self.explain())]

    def conflicts(self) -> Sequence[ModelConflict]:
        """What the models that are named here do not take of the parameters."""
        return conflicts_of(self.shape.model_copy(update={"model": self.model}), self.parameters)

    def under(self, overlay: Overlay) -> LLMConfig:
        """The same with what an experiment or a session has otherwise.

        Args:
            overlay: What is otherwise.

        Example:
            >>> from sentient_cli.config import load
            >>> config = LLMConfig.of(load(environment={}, use_env_file=False))
            >>> config = config.under(Overlay(name="this session", parameters=Parameters(seed=3)))
            >>> str(config["llm.parameters.seed"])
            'llm.parameters.seed = 3 (from -9223372036854775808 to 9223372036854775807), from this session'
        """
        source = Source(overlay.layer, overlay.name)
        values: dict[str, object] = msgspec.to_builtins(overlay.parameters)
        told = {_PARAMETERS + name: value for name, value in values.items()}
        if overlay.model is not None:
            told[_MODEL] = overlay.model
        others = {
            name: msgspec.structs.replace(self.settings[name], value=shown(value, name), source=source)
            for name, value in told.items()
            if name in self.settings
        }
        return msgspec.structs.replace(
            self,
            model=overlay.model or self.model,
            parameters=under(self.parameters, overlay.parameters),
            settings=MappingProxyType({**self.settings, **others}),
        )

    def here(self) -> LLMConfig:
        """The same with what holds where this is called: in an experiment, or in a block of `use`.

        Example:
            >>> from sentient_cli import llm
            >>> from sentient_cli.config import load
            >>> config = LLMConfig.of(load(environment={}, use_env_file=False))
            >>> with llm.use(preset="creative"):
            ...     config.here()["llm.parameters.temperature"].source.layer
            'session'
        """
        config, use = self, current_use.get()
        for overlay in use.overlays if use is not None else ():
            config = config.under(overlay)
        return config


def _settings(loaded: Loaded) -> Iterator[tuple[str, LLMSetting]]:
    """Those with a name of their own, then the entries of tables whose keys everyone chooses."""
    given = {name: value for layer in loaded.layers.values() for name, value in layer.items()}
    for name in (*all_keys(), *(each for each in given if each not in all_keys())):
        about = describe(name) if name.startswith(_PREFIX) else None
        if about is not None:
            source = given[name].source if name in given else Source("default")
            value = _value(loaded.settings.llm, name) if name in all_keys() else given[name].raw
            yield name, LLMSetting(about=about, value=shown(value, name), source=source)


def _value(settings: LlmSettings, name: str) -> object:
    value: object = settings
    for part in name.removeprefix(_PREFIX).split("."):
        value = getattr(value, part)
    return value
