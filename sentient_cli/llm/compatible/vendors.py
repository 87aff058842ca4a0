"""The vendors and servers, as data. A new one is a row.

Sources: the API references of each, late 2026.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from sentient_cli.errors import ConfigError
from sentient_cli.llm.chatwire.dialect import COMMON, CONTENT, DETAILS, LOCAL, OPENAI, Dialect

__all__ = ["AUTO", "VENDORS", "Vendor", "vendor_of"]

AUTO: Final = "auto"
"""The model of a server that has one loaded: the first that it names."""


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one vendor or server.

    Args:
        id: The first part of its model ids.
        title: What people call it.
        base_url: Where it is; empty: that is different for everybody.
        key_variable: The variable that its key is usually in; empty: it needs none.
        default_model: What its bare id stands for.
        dialect: How its chat completions differ.
        key_header: Where its key goes.
        chat: The path of its chat completions; ``{model}`` stands for the model.
        models: The path of the list of its models; empty: it has none.
        check: The path that tells cheaply whether a key is good; empty: that of the models.
        query: What every address ends with, by name; a value in braces is that of a setting.
        port: The port that a local server usually listens on.
        live: How it tells what it can do, if it does.
        tools: Whether its models can ask for tools.
        thinking: Whether some of its models think before they answer.

    Example:
        >>> VENDORS["groq"].key_variable
        'GROQ_API_KEY'
    """

    id: str
    title: str
    base_url: str = ""
    key_variable: str = ""
    default_model: str = AUTO
    dialect: Dialect = Dialect()
    key_header: Literal["authorization", "api-key"] = "authorization"
    chat: str = "/chat/completions"
    models: str = "/models"
    check: str = ""
    query: Mapping[str, str] = MappingProxyType({})
    port: int | None = None
    live: Literal["", "ollama", "llamacpp", "lmstudio", "vllm"] = ""
    tools: bool = True
    thinking: bool = False

    @property
    def local(self) -> bool:
        """Whether it runs on the user's own machine."""
        return self.port is not None


def _less(names: Mapping[str, str], *left_out: str, **others: str) -> Mapping[str, str]:
    """Parameters without some, and with other names for some."""
    return MappingProxyType({**{ours: theirs for ours, theirs in names.items() if ours not in left_out}, **others})


_ROWS: Final = (
    Vendor(
        id="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        port=11434,
        live="ollama",
        thinking=True,
        dialect=Dialect(parameters=_less(COMMON, "parallel_tools", "user"), tool_choice=False),
    ),
    Vendor(
        id="vllm",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        port=8000,
        live="vllm",
        thinking=True,
        dialect=Dialect(parameters=LOCAL, audio=True),
    ),
    Vendor(
        id="llamacpp",
        title="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        port=8080,
        live="llamacpp",
        thinking=True,
        dialect=Dialect(parameters=_less(LOCAL, "effort", "user"), audio=True),
    ),
    Vendor(
        id="lmstudio",
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        port=1234,
        live="lmstudio",
        thinking=True,
        dialect=Dialect(parameters=_less(LOCAL, "parallel_tools", "user")),
    ),
    Vendor(
        id="fireworks",
        title="Fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_variable="FIREWORKS_API_KEY",
        default_model="accounts/fireworks/models/gpt-oss-120b",
        thinking=True,
        dialect=Dialect(parameters=_less(LOCAL, "seed", "parallel_tools")),
    ),
    Vendor(
        id="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        default_model="openrouter/auto",
        check="/key",
        thinking=True,
        dialect=Dialect(
            parameters=_less(LOCAL, effort="reasoning.effort", thinking_tokens="reasoning.max_tokens"),
            efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
            schema="strict",
            audio=True,
            documents=True,
            cache_marks=True,
            thoughts=DETAILS,
        ),
    ),
    Vendor(
        id="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        default_model="openai/gpt-oss-120b",
        thinking=True,
        dialect=Dialect(
            parameters=_less(
                COMMON, "logprobs", "top_logprobs", max_tokens="max_completion_tokens", service_tier="service_tier"
            ),
            efforts=("none", "low", "medium", "high"),
            schema="none",
            stops=4,
            tiers=("auto", "on_demand", "flex", "performance"),
        ),
    ),
    Vendor(
        id="together",
        title="Together",
        base_url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        default_model="openai/gpt-oss-120b",
        thinking=True,
        dialect=Dialect(parameters=_less(LOCAL, "parallel_tools", "user", "top_logprobs")),
    ),
    Vendor(
        id="deepseek",
        title="DeepSeek",
        base_url="https://api.deepseek.com",
        key_variable="DEEPSEEK_API_KEY",
        default_model="deepseek-flash",
        thinking=True,
        dialect=Dialect(
            parameters=_less(COMMON, "seed", "parallel_tools", "user"),
            efforts=("high", "low", "max", "none"),  # in this order `medium` and `xhigh` become what they are there
            unthinking=MappingProxyType({"thinking": {"type": "disabled"}}),
            schema="none",
            images=False,
            kind="deepseek",
            stops=16,
            thoughts="reasoning_content",
        ),
    ),
    Vendor(
        id="mistral",
        title="Mistral",
        base_url="https://api.mistral.ai/v1",
        key_variable="MISTRAL_API_KEY",
        default_model="mistral-large-latest",
        thinking=True,
        dialect=Dialect(
            parameters=_less(COMMON, "logprobs", "top_logprobs", "user", seed="random_seed"),
            efforts=("high", "none"),
            usage_option=False,
            required="any",
            audio=True,
            kind="mistral",
            thoughts=CONTENT,
            call_ids="nine",
            turns="answered",
            ranges=MappingProxyType({"temperature": (0, 1.5), "seed": (0, math.inf)}),
        ),
    ),
    Vendor(
        id="cohere",
        title="Cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        key_variable="COHERE_API_KEY",
        default_model="command-a-03-2025",
        thinking=True,
        dialect=Dialect(
            parameters=_less(COMMON, "parallel_tools", "logprobs", "top_logprobs", "user"),
            efforts=("none", "high"),
            schema="none",
            stops=5,
            ranges=MappingProxyType({"presence_penalty": (0, 1), "frequency_penalty": (0, 1)}),
        ),
    ),
    Vendor(
        id="huggingface",
        title="Hugging Face",
        base_url="https://router.huggingface.co/v1",
        key_variable="HF_TOKEN",
        default_model="openai/gpt-oss-120b",
        thinking=True,
        dialect=Dialect(parameters=_less(COMMON, "parallel_tools", "user"), schema="none"),
    ),
    Vendor(
        id="azure",
        title="Azure OpenAI",
        key_variable="AZURE_OPENAI_API_KEY",
        default_model="default",
        key_header="api-key",
        chat="/openai/deployments/{model}/chat/completions",
        models="/openai/models",
        query=MappingProxyType({"api-version": "{api_version}"}),
        thinking=True,
        dialect=Dialect(
            parameters=_less(OPENAI, "service_tier", user="user"),
            efforts=("none", "minimal", "low", "medium", "high", "xhigh"),
            schema="strict",
            audio=True,
            kind="openai",
            stops=4,
        ),
    ),
    Vendor(
        id="xai",
        title="xAI",
        base_url="https://api.x.ai/v1",
        key_variable="XAI_API_KEY",
        default_model="grok-4.3",
        check="/api-key",
        thinking=True,
        dialect=Dialect(parameters=COMMON, efforts=("low", "high"), kind="xai", reasoning_apart=True),
    ),
    Vendor(
        id="perplexity",
        title="Perplexity",
        base_url="https://api.perplexity.ai",
        key_variable="PERPLEXITY_API_KEY",
        default_model="sonar",
        models="",
        tools=False,
        thinking=True,
        dialect=Dialect(
            parameters=_less(
                COMMON, "seed", "parallel_tools", "logprobs", "top_logprobs", "user", "stop", top_k="top_k"
            ),
            usage_option=False,
            tool_choice=False,
            turns="alternating",
        ),
    ),
    Vendor(
        id="nvidia",
        title="NVIDIA",
        base_url="https://integrate.api.nvidia.com/v1",
        key_variable="NVIDIA_API_KEY",
        default_model="openai/gpt-oss-120b",
        thinking=True,
        dialect=Dialect(parameters=_less(COMMON, "parallel_tools", "user"), schema="none"),
    ),
    Vendor(id="compatible", title="A compatible server", dialect=Dialect(parameters=LOCAL)),
)

VENDORS: Final[Mapping[str, Vendor]] = MappingProxyType({vendor.id: vendor for vendor in _ROWS})
"""All of them, by their ids. ``compatible`` is any other, at the address that one gives."""


def vendor_of(name: str) -> Vendor:
    """A row of the table.

    Args:
        name: The id.

    Raises:
        ConfigError: there is none.

    Example:
        >>> vendor_of("ollama").base_url
        'http://127.0.0.1:11434/v1'
    """
    vendor = VENDORS.get(name)
    if vendor is None:
        raise ConfigError(
            f"There is no vendor {name!r:.60}",
            why=f"Known are {', '.join(VENDORS)}",
            fix="Use one of these, or `compatible` with the `base_url` of a server that speaks like them",
        )
    return vendor
