"""Anthropic's models: its SDK for the connection and the errors, its stream read by ourselves.

Nothing here imports the SDK until a client is made, or `preload` is called.
"""

from __future__ import annotations

from sentient_cli.llm.anthropic.client import preload
from sentient_cli.llm.anthropic.config import AnthropicConfig
from sentient_cli.llm.anthropic.provider import AnthropicProvider

__all__ = ["AnthropicConfig", "AnthropicProvider", "preload"]
