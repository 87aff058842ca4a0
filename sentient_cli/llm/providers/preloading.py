"""What the first call to a provider would import, for a process that has the time before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentient_cli.llm.providers.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentient_cli.config.llm import LlmSettings

__all__ = ["default_kind", "modules_of"]

_PRICES: Final = ("genai_prices.data_snapshot",)
_HTTP: Final = "sentient_cli.llm.wire.http1.pool"
_WIRE: Final = (_HTTP, "sentient_cli.llm.compatible")
_SDKS: Final[Mapping[str, tuple[str, ...]]] = {
    "offline": (),
    "openai": (_HTTP, "openai", "openai.resources.chat", "sentient_cli.llm.openai", *_PRICES),
    "anthropic": (_HTTP, "anthropic", "sentient_cli.llm.anthropic", *_PRICES),
}


def default_kind(settings: LlmSettings) -> str:
    """The kind of the provider that is asked first.

    Args:
        settings: Those of models.

    Example:
        >>> from sentient_cli.config.llm import LlmSettings
        >>> default_kind(LlmSettings(model="fast", groups={"fast": ("openai:gpt-5-mini",)}))
        'openai'
    """
    model = next(iter(settings.groups.get(settings.model, ())), settings.model)
    provider = model.partition(":")[0]
    table = settings.providers.get(provider)
    return table.kind if table is not None and table.kind else provider


def modules_of(kind: str) -> tuple[str, ...]:
    """The modules that the first call to a provider would import: seconds, for some.

    Args:
        kind: The kind of the provider.

    Example:
        >>> modules_of("offline"), modules_of("ollama")
        ((), ('sentient_cli.llm.wire.http1.pool', 'sentient_cli.llm.compatible'))
    """
    if kind in _SDKS:
        return _SDKS[kind]
    if kind not in KINDS:
        return ()  # somebody else's
    return (*_WIRE, *_PRICES) if KINDS[kind].needs_key else _WIRE
