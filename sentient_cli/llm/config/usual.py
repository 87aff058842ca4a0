"""What the kinds of provider have unless settings say otherwise."""

from __future__ import annotations

from sentient_cli.llm.anthropic.config import AnthropicConfig
from sentient_cli.llm.compatible.vendors import VENDORS
from sentient_cli.llm.offline.provider import OfflineConfig
from sentient_cli.llm.openai.config import OpenAIConfig

__all__ = ["usual"]


def usual(kind: str) -> tuple[str | None, str | None]:
    """Where a kind of provider is, and its default model. None: that is different for everybody, or not known.

    Args:
        kind: The kind of provider.

    Example:
        >>> usual("groq")
        ('https://api.groq.com/openai/v1', 'openai/gpt-oss-120b')
    """
    if kind == "openai":
        return OpenAIConfig().base_url, OpenAIConfig().default_model
    if kind == "anthropic":
        return AnthropicConfig().base_url, AnthropicConfig().default_model
    if kind == "offline":
        return None, OfflineConfig().default_model
    vendor = VENDORS.get(kind)
    return (None, None) if vendor is None else (vendor.base_url or None, vendor.default_model)
