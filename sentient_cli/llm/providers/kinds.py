"""The kinds of provider that come with this package, without importing any of them."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["KINDS", "Kind"]


class Kind(msgspec.Struct, frozen=True):
    """A kind of provider.

    Args:
        variables: The variables of the environment that hold its key, the first that is set.
        needs_key: Whether it answers nobody without one.
        tells: Whether its server tells what a model can do.
        host: Where it is, unless settings say otherwise; empty: that is different for everybody.

    Example:
        >>> KINDS["openai"].variables, KINDS["ollama"].needs_key
        (('OPENAI_API_KEY',), False)
    """

    variables: tuple[str, ...] = ()
    needs_key: bool = True
    tells: bool = False
    host: str = ""


KINDS: Final[dict[str, Kind]] = {
    "offline": Kind(needs_key=False),
    "openai": Kind(("OPENAI_API_KEY",), host="api.openai.com"),
    "anthropic": Kind(("ANTHROPIC_API_KEY",), host="api.anthropic.com"),
    "azure": Kind(("AZURE_OPENAI_API_KEY",)),
    "cohere": Kind(("COHERE_API_KEY", "CO_API_KEY"), host="api.cohere.ai"),
    "compatible": Kind(needs_key=False),
    "deepseek": Kind(("DEEPSEEK_API_KEY",), host="api.deepseek.com"),
    "fireworks": Kind(("FIREWORKS_API_KEY",), host="api.fireworks.ai"),
    "groq": Kind(("GROQ_API_KEY",), host="api.groq.com"),
    "huggingface": Kind(("HF_TOKEN", "HUGGINGFACE_API_KEY"), host="router.huggingface.co"),
    "llamacpp": Kind(("LLAMACPP_API_KEY",), needs_key=False, tells=True, host="127.0.0.1:8080"),
    "lmstudio": Kind(("LMSTUDIO_API_KEY",), needs_key=False, tells=True, host="127.0.0.1:1234"),
    "mistral": Kind(("MISTRAL_API_KEY",), host="api.mistral.ai"),
    "nvidia": Kind(("NVIDIA_API_KEY",), host="integrate.api.nvidia.com"),
    "ollama": Kind(("OLLAMA_API_KEY",), needs_key=False, tells=True, host="127.0.0.1:11434"),
    "openrouter": Kind(("OPENROUTER_API_KEY",), host="openrouter.ai"),
    "perplexity": Kind(("PERPLEXITY_API_KEY",), host="api.perplexity.ai"),
    "together": Kind(("TOGETHER_API_KEY",), host="api.together.xyz"),
    "vllm": Kind(("VLLM_API_KEY",), needs_key=False, tells=True, host="127.0.0.1:8000"),
    "xai": Kind(("XAI_API_KEY",), host="api.x.ai"),
}
"""By name; the first part of a model id without any settings."""
