"""From settings to the parameters that calls get: those of all calls, and those of each preset."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sentient_cli.config.llm import LlmSettings, ParameterSettings
from sentient_cli.config.presets import chain_of
from sentient_cli.errors import BadRequestError, ConfigError
from sentient_cli.llm.defaults import NOTHING, under
from sentient_cli.llm.parameters import Parameters
from sentient_cli.llm.presets import built_in

__all__ = ["parameters_of", "presets_of", "standing"]


def parameters_of(settings: ParameterSettings) -> Parameters:
    """What calls get that they leave open.

    Args:
        settings: A table of parameters, or a preset.

    Raises:
        ConfigError: one cannot be sent.

    Example:
        >>> parameters_of(ParameterSettings(temperature=0.2)).temperature
        0.2
        >>> parameters_of(ParameterSettings()) is NOTHING
        True
    """
    usual = type(settings).defaults()
    told = {name: value for name, value in settings if name != "base" and value != getattr(usual, name)}
    if not told:
        return NOTHING
    try:
        return msgspec.convert(told, Parameters)
    except (BadRequestError, msgspec.ValidationError) as error:
        why = error.why if isinstance(error, BadRequestError) else str(error)
        raise ConfigError(
            "The parameters of calls cannot be sent", why=why, fix="Correct [llm.parameters] or [llm.presets]"
        ) from error


def presets_of(settings: LlmSettings) -> Mapping[str, Parameters]:
    """All presets by name, ours and those of the settings, with what each begins with.

    Args:
        settings: Those of models.

    Raises:
        ConfigError: a preset begins with one that is not there, or with itself.

    Example:
        >>> from sentient_cli.config.llm import PresetSettings
        >>> presets = presets_of(LlmSettings(presets={"mine": PresetSettings(base="precise", max_tokens=300)}))
        >>> presets["mine"].temperature, presets["mine"].max_tokens
        (0.0, 300)
    """
    bases = {name: preset.base for name, preset in settings.presets.items()}
    made = dict(built_in())
    for name in bases:
        values = NOTHING
        for each, is_own in chain_of(name, bases):
            values = under(values, parameters_of(settings.presets[each]) if is_own else built_in()[each])
        made[name] = values
    return MappingProxyType(made)


def standing(settings: LlmSettings) -> Parameters:
    """What all calls get that they leave open: the table of parameters, over the chosen preset.

    Args:
        settings: Those of models.

    Raises:
        ConfigError: there is no such preset, or a parameter cannot be sent.

    Example:
        >>> standing(LlmSettings(preset="fast")).max_tokens
        1024
    """
    own = parameters_of(settings.parameters)
    if settings.preset is None:
        return own
    chain_of(settings.preset, {name: preset.base for name, preset in settings.presets.items()})
    return under(presets_of(settings)[settings.preset], own)  # read from files, the settings have that already
