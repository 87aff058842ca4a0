"""The models that a server names, in any of the shapes in which servers do."""

from __future__ import annotations

from datetime import date
from typing import Final

from sentient_cli.llm.provider import ModelInfo
from sentient_cli.llm.types import JsonValue

__all__ = ["models_in"]

_CONTEXT: Final = (
    "context_length",
    "max_model_len",
    "context_window",
    "max_context_length",
    "loaded_context_length",
)
"""What vendors call the tokens that request and answer may have together."""


def models_in(told: JsonValue) -> tuple[ModelInfo, ...]:
    """The models that a list has, in any of the usual shapes.

    Example:
        >>> models_in({"data": [{"id": "small", "max_model_len": 8192}]})[0].context_tokens
        8192
    """
    if isinstance(told, dict):
        told = told.get("data") or told.get("models") or []
    found: dict[str, ModelInfo] = {}
    for item in told if isinstance(told, list) else []:
        if isinstance(item, dict):
            name = item.get("id") or item.get("name")
            if isinstance(name, str) and name not in found:
                found[name] = ModelInfo(
                    id=name, description=_sentence(item), context_tokens=_context(item), shutdown=_shutdown(item)
                )
    return tuple(found.values())


def _sentence(item: dict[str, JsonValue]) -> str:
    text = item.get("description")
    return text.partition("\n")[0][:300] if isinstance(text, str) else ""


def _shutdown(item: dict[str, JsonValue]) -> str | None:
    """The day of its end, as OpenAI tells it."""
    told = item.get("shutdown_date")
    try:
        return date.fromisoformat(told).isoformat() if isinstance(told, str) else None
    except ValueError:
        return None


def _context(item: dict[str, JsonValue]) -> int | None:
    meta = item.get("meta")
    told = [item.get(name) for name in _CONTEXT]
    if isinstance(meta, dict):
        told += [meta.get("n_ctx"), meta.get("n_ctx_train")]
    return next((value for value in told if isinstance(value, int) and value > 0), None)
