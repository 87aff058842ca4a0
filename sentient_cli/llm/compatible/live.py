"""What local servers tell about the model that they have loaded.

Sources: the API references of Ollama (``/api/show``), llama.cpp's server (``/props``) and vLLM (``/v1/models``).
"""

from __future__ import annotations

import msgspec

from sentient_cli.llm.compatible.asking import Asking
from sentient_cli.llm.compatible.config import root
from sentient_cli.llm.compatible.listing import list_models
from sentient_cli.llm.provider import Capabilities
from sentient_cli.llm.types import JsonValue

__all__ = ["live_capabilities"]


async def live_capabilities(asking: Asking, model: str, known: Capabilities) -> Capabilities:
    """What a provider can do with a model, as far as its server tells.

    Args:
        asking: Whom to ask.
        model: The model.
        known: What is known without asking.

    Raises:
        ProviderError: it cannot be asked.
    """
    if asking.vendor.live == "ollama":
        told = await asking.post(f"{root(asking.config)}/api/show", {"model": model})
        return _ollama(told if isinstance(told, dict) else {}, known)
    if asking.vendor.live == "llamacpp":
        told = await asking.get(f"{root(asking.config)}/props")
        return _llamacpp(told if isinstance(told, dict) else {}, known)
    if not asking.vendor.models:
        return known
    models = await list_models(asking)
    context = next((one.context_tokens for one in models if one.id == model), None)
    names = tuple(one.id for one in models)
    return msgspec.structs.replace(known, models=names, max_input_tokens=context or known.max_input_tokens)


def _ollama(told: dict[str, JsonValue], known: Capabilities) -> Capabilities:
    can, facts = told.get("capabilities"), told.get("model_info")
    context = None
    if isinstance(facts, dict):
        lengths = [value for name, value in facts.items() if name.endswith(".context_length")]
        context = next((value for value in lengths if isinstance(value, int)), None)
    known = msgspec.structs.replace(known, max_input_tokens=_window(told.get("parameters")) or context)
    if not isinstance(can, list):
        return known
    return msgspec.structs.replace(
        known, tools="tools" in can, images="vision" in can, audio="audio" in can, thinking="thinking" in can
    )


def _window(parameters: JsonValue) -> int | None:
    """What a model was set to read at most, which may be less than it could."""
    lines = parameters.splitlines() if isinstance(parameters, str) else ()
    words = (line.split() for line in lines)
    return next((int(told[1]) for told in words if told[:1] == ["num_ctx"] and told[1:] and told[1].isdecimal()), None)


def _llamacpp(told: dict[str, JsonValue], known: Capabilities) -> Capabilities:
    settings, kinds, template = (
        told.get(name) for name in ("default_generation_settings", "modalities", "chat_template_caps")
    )
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    if isinstance(context, int):
        known = msgspec.structs.replace(known, max_input_tokens=context)
    if isinstance(kinds, dict):
        known = msgspec.structs.replace(known, images=kinds.get("vision") is True, audio=kinds.get("audio") is True)
    if isinstance(template, dict) and "supports_tools" in template:
        known = msgspec.structs.replace(known, tools=template["supports_tools"] is True)
    return known
