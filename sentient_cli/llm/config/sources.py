"""Where vendors document what they take."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["EFFORT", "OPENAI_CHAT", "OPENAI_RESPONSES", "REFERENCES", "SERVICE_TIERS", "THINKING"]

REFERENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "anthropic": "https://platform.claude.com/docs/en/api/messages",
        "azure": "https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        "cohere": "https://docs.cohere.com/docs/compatibility-api",
        "deepseek": "https://api-docs.deepseek.com/guides/thinking_mode",
        "fireworks": "https://docs.fireworks.ai/api-reference/post-chatcompletions",
        "groq": "https://console.groq.com/docs/openai",
        "huggingface": "https://huggingface.co/docs/inference-providers/tasks/chat-completion",
        "llamacpp": "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        "lmstudio": "https://lmstudio.ai/docs/developer/openai-compat",
        "mistral": "https://docs.mistral.ai/api",
        "nvidia": "https://docs.api.nvidia.com/nim/reference/llm-apis",
        "ollama": "https://docs.ollama.com/api/openai-compatibility",
        "openai": "https://developers.openai.com/api/docs/guides/latest-model",
        "openrouter": "https://openrouter.ai/docs/api-reference/parameters",
        "perplexity": "https://docs.perplexity.ai/api-reference/chat-completions-post",
        "together": "https://docs.together.ai/reference/chat-completions-1",
        "vllm": "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        "xai": "https://docs.x.ai/docs/guides/reasoning",
    }
)
"""By kind of provider."""

THINKING: Final = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking"
EFFORT: Final = "https://platform.claude.com/docs/en/build-with-claude/effort"
OPENAI_CHAT: Final = (
    "https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create"
)
OPENAI_RESPONSES: Final = "https://developers.openai.com/api/reference/resources/responses/methods/create"
SERVICE_TIERS: Final = "https://platform.claude.com/docs/en/api/service-tiers"
