"""OpenAI: its SDK for addresses, keys and errors, our own connections and reading."""

from __future__ import annotations

from sentient_cli.llm.openai.config import OpenAIConfig
from sentient_cli.llm.openai.parameters import (
    AudioOutput,
    Compaction,
    Moderation,
    OpenAIParameters,
    PromptCache,
    Reasoning,
    UserLocation,
    WebSearch,
)
from sentient_cli.llm.openai.provider import OpenAIProvider, preload

__all__ = [
    "AudioOutput",
    "Compaction",
    "Moderation",
    "OpenAIConfig",
    "OpenAIParameters",
    "OpenAIProvider",
    "PromptCache",
    "Reasoning",
    "UserLocation",
    "WebSearch",
    "preload",
]
