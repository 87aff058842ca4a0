"""What experiments give of a setting: values that hold for a part of what runs, and so never for a file of settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, cast

from sentient_cli.config.preset_cards import preset_parameters
from sentient_cli.errors import ConfigError

if TYPE_CHECKING:
    from sentient_cli.config.experiments import VariantSettings
    from sentient_cli.config.loading import Loaded

__all__ = ["PARAMETERS", "can_vary", "on_trial"]

PARAMETERS: Final = "llm.parameters."
_MODEL: Final = "llm.model"


def can_vary(name: str) -> bool:
    """Whether an experiment or a session can say otherwise than the settings.

    Example:
        >>> can_vary("llm.parameters.temperature"), can_vary("llm.model"), can_vary("server.port")
        (True, True, False)
    """
    return name == _MODEL or name.startswith(PARAMETERS)


def on_trial(loaded: Loaded, name: str) -> Iterator[tuple[object, str]]:
    """What variants of experiments that run give of a setting, each with the names of both.

    Args:
        loaded: The settings.
        name: The dotted name of the setting.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sentient_cli.config import load
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     text = "experiments.warmth.variants = { control = {}, warm = { preset = 'creative' } }"
        ...     _ = Path(folder, "sentient.toml").write_text(text)
        ...     loaded = load(project=Path(folder), environment={})
        >>> list(on_trial(loaded, "llm.parameters.temperature"))
        [(1.0, 'the variant warm of warmth')]
    """
    if not can_vary(name):
        return
    for experiment, settings in loaded.settings.experiments.items():
        if not settings.enabled:
            continue
        for variant, each in settings.variants.items():
            value = each.model if name == _MODEL else _parameter(loaded, each, name.removeprefix(PARAMETERS))
            if value is not None and value != ():
                yield value, f"the variant {variant} of {experiment}"


def _parameter(loaded: Loaded, variant: VariantSettings, name: str) -> object:
    field, _, rest = name.partition(".")
    value: object = getattr(variant.parameters, field, None)
    if rest:
        value = cast("dict[str, object]", value).get(rest) if isinstance(value, dict) else None
    if value is not None and value not in ((), {}):
        return value
    if variant.preset is None:
        return None
    try:
        found = preset_parameters(loaded, variant.preset).get(name)
    except ConfigError:  # whoever starts it says so
        return None
    return found.raw if found is not None else None
