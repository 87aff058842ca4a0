"""What local servers tell about the model that they have loaded.

Sources: the API references of Ollama (``/api/show``), llama.cpp's server (``/props``), LM Studio
(``/api/v0/models``, https://lmstudio.ai/docs/developer/rest) and vLLM (``/v1/models``).
"""

from __future__ import annotations

import msgspec

from sentient_cli.llm.compatible.asking import Asking
from sentient_cli.llm.compatible.config import root
from sentient_cli.llm.compatible.listing import list_models
from sentient_cli.llm.provider import Capabilities
from sentient_cli.llm.types import JsonValue

__all__ = ["LiveFacts", "live_capabilities", "live_facts"]


class LiveFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a server tells of a model. None: it does not tell.

    Args:
        max_input_tokens: Tokens that a request may have.
        tools: Whether it can ask for tools.
        images: Whether it can read images.
        audio: Whether it can hear.
        thinking: Whether it thinks before it answers.
        models: The models that the server has.

    Example:
        >>> LiveFacts(tools=False).images is None
        True
    """

    max_input_tokens: int | None = None
    tools: bool | None = None
    images: bool | None = None
    audio: bool | None = None
    thinking: bool | None = None
    models: tuple[str, ...] | None = None


async def live_capabilities(asking: Asking, model: str, known: Capabilities) -> Capabilities:
    """What a provider can do with a model, as far as its server tells.

    Args:
        asking: Whom to ask.
        model: The model.
        known: What is known without asking.

    Raises:
        ProviderError: it cannot be asked.
    """
    told = msgspec.structs.asdict(await live_facts(asking, model))
    return msgspec.structs.replace(known, **{name: value for name, value in told.items() if value is not None})


async def live_facts(asking: Asking, model: str) -> LiveFacts:
    """What a server tells of a model.

    Args:
        asking: Whom to ask.
        model: The model.

    Raises:
        ProviderError: it cannot be asked.
    """
    if asking.vendor.live == "ollama":
        told = await asking.post(f"{root(asking.config)}/api/show", {"model": model})
        return _ollama(told if isinstance(told, dict) else {})
    if asking.vendor.live == "llamacpp":
        told = await asking.get(f"{root(asking.config)}/props")
        return _llamacpp(told if isinstance(told, dict) else {})
    if asking.vendor.live == "lmstudio":
        return _lmstudio(await asking.get(f"{root(asking.config)}/api/v0/models"), model)
    if not asking.vendor.models:
        return LiveFacts()
    models = await list_models(asking)
    context = next((one.context_tokens for one in models if one.id == model), None)
    return LiveFacts(models=tuple(one.id for one in models), max_input_tokens=context)


def _ollama(told: dict[str, JsonValue]) -> LiveFacts:
    can, facts = told.get("capabilities"), told.get("model_info")
    context = _window(told.get("parameters"))
    if context is None and isinstance(facts, dict):
        lengths = [value for name, value in facts.items() if name.endswith(".context_length")]
        context = next((value for value in lengths if isinstance(value, int)), None)
    if not isinstance(can, list):
        return LiveFacts(max_input_tokens=context)
    return LiveFacts(
        max_input_tokens=context,
        tools="tools" in can,
        images="vision" in can,
        audio="audio" in can,
        thinking="thinking" in can,
    )


def _window(parameters: JsonValue) -> int | None:
    """What a model was set to read at most, which may be less than it could."""
    lines = parameters.splitlines() if isinstance(parameters, str) else ()
    words = (line.split() for line in lines)
    return next((int(told[1]) for told in words if told[:1] == ["num_ctx"] and told[1:] and told[1].isdecimal()), None)


def _lmstudio(told: JsonValue, model: str) -> LiveFacts:
    listed = told.get("data") if isinstance(told, dict) else None
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    item = next((item for item in items if item.get("id") == model), None)
    if item is None:
        return LiveFacts()
    sizes = [item.get("loaded_context_length"), item.get("max_context_length")]  # it may be loaded for less than it can
    can, kind = item.get("capabilities"), item.get("type")
    return LiveFacts(
        max_input_tokens=next((size for size in sizes if isinstance(size, int)), None),
        images=kind == "vlm" if isinstance(kind, str) else None,
        tools="tool_use" in can if isinstance(can, list) else None,
    )


def _llamacpp(told: dict[str, JsonValue]) -> LiveFacts:
    settings, kinds, template = (
        told.get(name) for name in ("default_generation_settings", "modalities", "chat_template_caps")
    )
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    seen = kinds if isinstance(kinds, dict) else None
    tools = template.get("supports_tools") if isinstance(template, dict) else None
    return LiveFacts(
        max_input_tokens=context if isinstance(context, int) else None,
        images=seen.get("vision") is True if seen is not None else None,
        audio=seen.get("audio") is True if seen is not None else None,
        tools=tools is True if isinstance(template, dict) and "supports_tools" in template else None,
    )
