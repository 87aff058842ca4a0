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

    Example:
        >>> KINDS["openai"].variables, KINDS["ollama"].needs_key
        (('OPENAI_API_KEY',), False)
    """

    variables: tuple[str, ...] = ()
    needs_key: bool = True
    tells: bool = False


KINDS: Final[dict[str, Kind]] = {
    "offline": Kind(needs_key=False),
    "openai": Kind(("OPENAI_API_KEY",)),
    "anthropic": Kind(("ANTHROPIC_API_KEY",)),
    "azure": Kind(("AZURE_OPENAI_API_KEY",)),
    "cohere": Kind(("COHERE_API_KEY", "CO_API_KEY")),
    "compatible": Kind(needs_key=False),
    "deepseek": Kind(("DEEPSEEK_API_KEY",)),
    "fireworks": Kind(("FIREWORKS_API_KEY",)),
    "groq": Kind(("GROQ_API_KEY",)),
    "huggingface": Kind(("HF_TOKEN", "HUGGINGFACE_API_KEY")),
    "llamacpp": Kind(("LLAMACPP_API_KEY",), needs_key=False, tells=True),
    "lmstudio": Kind(("LMSTUDIO_API_KEY",), needs_key=False, tells=True),
    "mistral": Kind(("MISTRAL_API_KEY",)),
    "nvidia": Kind(("NVIDIA_API_KEY",)),
    "ollama": Kind(("OLLAMA_API_KEY",), needs_key=False, tells=True),
    "openrouter": Kind(("OPENROUTER_API_KEY",)),
    "perplexity": Kind(("PERPLEXITY_API_KEY",)),
    "together": Kind(("TOGETHER_API_KEY",)),
    "vllm": Kind(("VLLM_API_KEY",), needs_key=False, tells=True),
    "xai": Kind(("XAI_API_KEY",)),
}
"""By name; the first part of a model id without any settings."""
